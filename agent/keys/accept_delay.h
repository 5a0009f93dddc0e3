/*
 * What wrong passwords cost. The answer to one waits: longer with each that was tried for the account, wherever it came from. And while many such answers
 * wait, no more passwords are looked at for that account from there: so guessing in parallel is no quicker than the delays allow. Whoever waits for nothing
 * is let in at once by a right password. Accounts are told apart by what the client says, whether they are there or not: the delays tell nothing of that.
 * Memory of a fixed size. Threads may share it.
 */
#ifndef EXEAT_KEYS_ACCEPT_DELAY_H
#define EXEAT_KEYS_ACCEPT_DELAY_H

#include <stdbool.h>
#include <stdint.h>

#define DELAY_PLACES    512
#define DELAY_FIRST_MS  500u
#define DELAY_MOST_MS   10000u
#define DELAY_FORGET_MS ((int64_t)10 * 60 * 1000) /* after the last wrong one */

/* Wrong passwords whose answers wait, at most: of an account from one network, of an account, from a network. */
#define WRONG_OF_PAIR    8u
#define WRONG_OF_ACCOUNT 32u
#define WRONG_OF_NETWORK 64u

/* A password that is tried. */
struct attempt {
    const char *gateway;
    const char *account; /* any ASCII case */
    const char *network; /* whose address it came from; empty: unknown, and not counted */
    int64_t now;         /* milliseconds of the monotonic clock */
};

struct delays;

struct delays *delays_new(void);
void delays_free(struct delays *all);

/* May the password be looked at? false: too many wrong ones still wait for their answers. */
bool delay_allows(struct delays *all, const struct attempt *t);
/* It was wrong: how many milliseconds its answer waits. */
unsigned delay_after(struct delays *all, const struct attempt *t);

#endif
