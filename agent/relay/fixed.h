/*
 * Fixed tunnels, [forward NAME] in the configuration: each client of its listeners becomes a CONNECT to one target, at once and without a word of its own,
 * so that protocols in which the server speaks first work. Reference-counted: clients keep theirs when a reload takes it out of the configuration.
 * Loop thread only.
 */
#ifndef EXEAT_RELAY_FIXED_H
#define EXEAT_RELAY_FIXED_H

#include "config/config.h"

struct fixed {
    int refs;
    char *name;
    char *host;
    uint16_t port;
    char *target; /* as it was written, for people */
    uint64_t opened, failed;
    char *why;          /* of the last failure; NULL: there was none */
    uint64_t failed_at; /* loop_now of it */
};

struct fixed *fixed_new(const struct config_forward *f);
/* The next clients go where that section says; the figures go on. */
void fixed_aim(struct fixed *fixed, const struct config_forward *f);
struct fixed *fixed_ref(struct fixed *f); /* NULL is allowed, here and below */
void fixed_unref(struct fixed *f);

#endif
