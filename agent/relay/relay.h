/*
 * The relay: local clients in, exchanges and tunnels out. One per agent. An exchange keeps the settings it began with; relay_reload changes
 * what the next ones get. Loop thread only.
 */
#ifndef EXEAT_RELAY_RELAY_H
#define EXEAT_RELAY_RELAY_H

#include "admit/admit.h"
#include "net/stream.h"
#include "relay/access.h"
#include "relay/entrance.h"
#include "relay/fixed.h"
#include "relay/gate.h"
#include "relay/guest.h"
#include "relay/hold.h"
#include "relay/refusal.h"
#include "relay/caller.h"
#include "relay/standing.h"
#include "relay/sums.h"
#include "route/decide.h"
#include "upstream/outbound.h"

struct relay {
    struct outbound *out;
    struct config *config;      /* a reference */
    struct route_table *routes; /* a reference */
    struct pac *pac;            /* lent; the agent puts it here before the first client comes */
    struct admit admit;
    struct list clients;
    struct list tunnels;
    struct holds holds;
    struct guests guests;
    struct gates gates;
    struct refusals refusals;
    unsigned clients_seen; /* numbers for log tags */
    size_t clients_open, tunnels_open;
    struct access_log log;  /* its owner starts and stops it */
    struct callers callers; /* the same */
    struct sums sums;
    struct standing standing;
    unsigned doors_seen;
    time_t started;
    uint64_t turned_away;       /* clients that admit did not let in */
    bool draining;              /* no further requests on any connection */
    void (*ended)(void *owner); /* while draining: a client or a tunnel has */
    void *ended_owner;
};

void relay_init(struct relay *r, struct outbound *out, struct config *config, struct route_table *routes);
/* Closes every client and tunnel. */
void relay_done(struct relay *r);
void relay_reload(struct relay *r, struct config *config, struct route_table *routes);
/* A number for a new door. */
unsigned relay_door(struct relay *r);
/* What a way in leads to, each of one kind of entrance: the client refers to it. */
struct tls_server;
struct leads {
    struct fixed *fixed;    /* entrance_fixed */
    struct gate *gate;      /* entrance_gateway */
    struct tls_server *tls; /* over TLS; NULL: in clear */
};
/* A new local connection, and the way by which it came; takes the stream over. `door`: a number for relay_retire. */
void relay_accept(struct relay *r, const struct entrance *entrance, struct leads to, unsigned door,
                  struct stream *s);
/* That door is closed: connections from there end, idle ones now, others with the answer to what they have asked; tunnels go on. */
void relay_retire(struct relay *r, unsigned door);
/* The same for all doors, for good; nobody is kept waiting for a password any more. `ended` is told of each end. */
void relay_drain(struct relay *r, void (*ended)(void *owner), void *owner);
bool relay_is_empty(const struct relay *r);
/* No more time: what is being answered is cut, so that the client can see it; tunnels have FIN sent both ways. Returns how many requests were cut. */
size_t relay_finish(struct relay *r);

#endif
