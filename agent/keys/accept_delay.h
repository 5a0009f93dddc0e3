/*
 * How long a client waits for the answer to a wrong password: longer with each one that was tried for the account, wherever it came from. Nobody is locked
 * out, since a right password is not delayed. Memory of a fixed size: of many accounts those that were tried last are remembered. Main thread.
 */
#ifndef EXEAT_KEYS_ACCEPT_DELAY_H
#define EXEAT_KEYS_ACCEPT_DELAY_H

#include <stdint.h>

#define DELAY_PLACES    512
#define DELAY_FIRST_MS  500u
#define DELAY_MOST_MS   10000u
#define DELAY_FORGET_MS ((int64_t)10 * 60 * 1000) /* after the last wrong one */

struct delays {
    struct delay_place {
        char *account; /* NULL: free */
        unsigned wrong;
        int64_t last;
    } places[DELAY_PLACES];
};

/* A wrong password for this account (any ASCII case), at this time in milliseconds: how many milliseconds the answer waits. */
unsigned delay_after(struct delays *all, const char *gateway, const char *account, int64_t now);
void delays_free(struct delays *all);

#endif
