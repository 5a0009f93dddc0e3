/*
 * Which file of users is meant, and for which realm its hashes are: what the command line, the configuration and the file itself say. Blocking; one thread.
 */
#ifndef EXEAT_CLI_USERS_PLACE_H
#define EXEAT_CLI_USERS_PLACE_H

#include "cli/verb.h"

struct users_place {
    char *path;
    char *realm;  /* NULL: not asked for */
    bool guessed; /* nothing says which realm it is: it is the one that a gateway has by itself */
};

/* --file, or the configured one of the gateway; `realm`: --realm, or that of the gateway whose file it is, or that of the file's other lines. false: *e. The
   caller frees in any case. */
bool users_place_find(const struct verb_call *call, bool realm, struct users_place *p, struct err *e);
void users_place_free(struct users_place *p);

#endif
