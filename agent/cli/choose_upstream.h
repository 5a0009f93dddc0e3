/*
 * Which upstream "exeat login", "exeat logout" and "exeat accept" mean, and what to call it when asking for its password.
 */
#ifndef EXEAT_CLI_CHOOSE_UPSTREAM_H
#define EXEAT_CLI_CHOOSE_UPSTREAM_H

#include <stdbool.h>

#include "base/err.h"

struct chosen_upstream {
    char *name;
    char *proxy; /* as configured; may be empty */
    char *user;  /* may be empty: not known */
};

/* `name` NULL: the first one. With `config_path` NULL the running agent is asked, since it is what the
   password is for; the configuration is read where none is running, or where it is named. false: *e says what
   is wrong, with the nearest name. */
bool choose_upstream(const char *name, const char *config_path, struct chosen_upstream *out, struct err *e);
void chosen_upstream_free(struct chosen_upstream *u);

#endif
