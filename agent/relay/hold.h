/*
 * CONNECTs that wait for a password. Where the keyholder says that typing one would help (exeat login), a CONNECT is kept waiting for it, up to
 * wait-for-password seconds of the upstream's section. It holds its client and nothing else: its connection to the proxy was closed. New credentials for the
 * upstream, or a new configuration, send all that wait for it round once more; when they fail again for the same reason, they go on waiting. The
 * keyholder lets one of them try the new password, and remembers a refused one: those who wait add no attempt.
 *
 * Only CONNECT: the client of any other request could have a body under way, and of most it is not known whether they would wait. Loop thread only.
 */
#ifndef EXEAT_RELAY_HOLD_H
#define EXEAT_RELAY_HOLD_H

#include "base/buf.h"
#include "base/list.h"
#include "http/page.h"
#include "net/loop.h"

struct ask_failure;
struct exchange;
struct relay;

/* Those of one relay. */
struct holds {
    struct list waiting; /* struct hold, in the order of their coming */
    size_t n;
    struct list
        generations; /* the newest of each upstream and user that has changed since the start, the last that did first */
    size_t n_generations;
};

/* One, as a part of its exchange. */
struct hold {
    struct list link; /* in holds->waiting */
    bool active;
    bool before;    /* it was once */
    char *upstream; /* whose password it waits for */
    char *user;     /* or, where a gateway's user has his own: his (by hop_known_as); NULL: the upstream's */
    uint64_t since; /* loop_now when it came first */
    uint32_t
        retried; /* of that: the generation for which it did not wait at all, because that had come already */
    struct deadline deadline;
    enum page_cause cause; /* the page for when the time is up */
    struct buf why, remedy;
};

void holds_init(struct holds *holds);
void holds_done(struct holds *holds); /* when no exchange is left */

/* The asking failed. true: the exchange waits, and goes on by exchange_again or with its page. */
bool hold_failure(struct exchange *e, const struct ask_failure *failure);
/* Ends the waiting, if there is one, and frees its memory. */
void hold_free(struct exchange *e);

/* New credentials for this upstream are there; `user` not empty: of that user of a gateway, there. */
void holds_generation(struct relay *r, struct span upstream, struct span user, uint32_t generation);
/* The keyholder died, and with it what it knew of a gateway's clients: those who wait as one of its users are asked again who they are, while they can answer. */
void holds_keyholder_ended(struct relay *r);
/* A new configuration is. */
void holds_reloaded(struct relay *r);
/* We are about to end: nobody waits any more. */
void holds_give_up(struct relay *r);
/* How many wait for this upstream. */
size_t holds_count(const struct relay *r, const char *upstream);

#endif
