/*
 * Where the programs of this user are to be pointed, and whom the agent lets in: as the running agent says, else as the configuration has it.
 */
#ifndef EXEAT_CLI_FIND_AIM_H
#define EXEAT_CLI_FIND_AIM_H

#include <jansson.h>

#include "apps/aim.h"

struct found_aim {
    struct aim aim;
    json_t *allow_uids; /* words of [listen] allow-uids, as written; NULL: not known */
    bool allow_any;
    const char *from; /* "the running agent", "the configuration", ... */
};

/* `proxy`: what was typed for --proxy; NULL: found out. `config`: of --config, or NULL. Where there is no configuration either, the default listener; under
   sudo the agent of the user who typed that is asked, too. false with *e. The caller calls found_aim_free in either case. */
bool find_aim(struct found_aim *f, const char *proxy, const char *config, struct err *e);
void found_aim_free(struct found_aim *f);

/* Has whoever runs under that name to be named in allow-uids first? */
bool found_aim_shuts_out(const struct found_aim *f, const char *user);

#endif
