/*
 * What the parts of exeat setup share. Blocking; one thread.
 */
#ifndef EXEAT_CLI_SETUP_H
#define EXEAT_CLI_SETUP_H

#include "cli/draft.h"

/* --- setup_guess.c: what this machine says already --- */

struct guess {
    struct buf proxy, pac, no_proxy; /* empty: nothing is known; no_proxy: words separated by blanks */
    const char *from;                /* "the environment", "GNOME's settings"; NULL: nobody says anything */
};
void guess_make(struct guess *g);
void guess_free(struct guess *g);

/* --- setup_look.c: what the proxy says --- */

struct look_at {
    bool answered;                       /* it spoke HTTP with us */
    bool asks;                           /* 407 */
    bool negotiate, ntlm, digest, basic; /* what it offers */
    bool is_private;                     /* nobody on the way could read a password */
};
/* Goes to the proxy of the draft's [upstream], without credentials, and says on standard output how that was. */
void setup_look(const struct draft *d, struct look_at *seen);

/* Runs a program with our terminal, or quietly; its exit code, 127 where there is none. */
int setup_run(const char *const argv[], bool quiet);

#endif
