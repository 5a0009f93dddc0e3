/*
 * Guests: clients from beyond this machine (containers, virtual machines). The kernel cannot say whose they are, so each request of theirs shows the name and
 * token of a [client NAME] as Basic proxy credentials, which end here. Loop thread only.
 */
#ifndef EXEAT_RELAY_GUEST_H
#define EXEAT_RELAY_GUEST_H

#include "base/list.h"
#include "net/loop.h"

struct client;
struct exchange;
struct relay;

/* What is told of one [client NAME]; kept by the relay and by whoever is connected under that name. */
struct tally {
    int refs;
    struct list link; /* in guests.tallies */
    char *name;
    size_t connected; /* connections and tunnels */
    uint64_t requests;
};

/* Of the relay. */
struct guests {
    struct list tallies;
    struct list strangers; /* connections that have shown nothing yet, the oldest first */
    size_t n_strangers;
    uint64_t refused; /* since the start */
};

/* Of a client's connection; all zero: it comes from this machine. */
struct guest {
    bool beyond;
    struct list link; /* in guests.strangers, while it is a stranger */
    bool stranger;
    struct tally *tally;      /* a reference, counted in connected; NULL: it has shown nothing yet */
    struct deadline patience; /* while it is a stranger */
};

void guests_init(struct guests *g);
void guests_done(struct guests *g);
/* NULL: nobody of that name has come yet. */
const struct tally *guests_tally(const struct guests *g, const char *name);

/* A connection from beyond this machine has been accepted. Where there are too many strangers, the one that has shown nothing for longest is closed. */
void guest_arrived(struct client *c);
void guest_left(struct client *c);
/* The connection becomes a tunnel, which counts for the guest until tally_leave. NULL: it is none's. */
struct tally *guest_hand_over(struct client *c);
void tally_leave(struct tally *t);

/* May this request go on? false: it has been answered, or will be. The credentials are gone from its head in any case. */
bool guest_may(struct exchange *e);
/* Who it is, for the log; NULL: a program on this machine. */
const char *guest_name(const struct client *c);

#endif
