/*
 * Refusals of who shows wrong credentials (guests, clients of a gateway): each waits longer than the one before, a right one never does, and neither the log nor
 * memory can be filled with them. Loop thread only.
 */
#ifndef EXEAT_RELAY_REFUSAL_H
#define EXEAT_RELAY_REFUSAL_H

#include "admit/penalty.h"
#include "base/span.h"
#include "net/loop.h"

struct exchange;

/* Of the relay. */
struct refusals {
    struct penalties penalties;
    size_t waiting;       /* on their way, slowly */
    uint64_t window_ends; /* ms of the loop: one line a second goes to the log */
    unsigned unlogged;
};

/* A line for the log, about this exchange's client. `who`: untrusted, may be empty. */
void refusal_tell(struct exchange *e, struct span why, struct span who);
/* `then` after the penalty of that address (NULL: none) and `least` ms at least; or, where too many wait already, the end of the exchange. */
void refusal_wait(struct exchange *e, const struct sockaddr *peer, uint64_t least,
                  void (*then)(struct exchange *e));
bool refusal_waits(const struct exchange *e);
void refusal_forget(struct exchange *e);

#endif
