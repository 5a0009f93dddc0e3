/*
 * The relay: local clients in, exchanges and tunnels out. One per agent. An exchange keeps the settings it began with; relay_reload changes
 * what the next ones get. Loop thread only.
 */
#ifndef EXEAT_RELAY_RELAY_H
#define EXEAT_RELAY_RELAY_H

#include "admit/admit.h"
#include "net/stream.h"
#include "relay/entrance.h"
#include "relay/fixed.h"
#include "relay/guest.h"
#include "relay/hold.h"
#include "route/route.h"
#include "upstream/outbound.h"

struct relay {
    struct outbound *out;
    struct config *config;      /* a reference */
    struct route_table *routes; /* a reference */
    struct admit admit;
    struct list clients;
    struct list tunnels;
    struct holds holds;
    struct guests guests;
    unsigned clients_seen; /* numbers for log tags */
    size_t clients_open, tunnels_open;
};

void relay_init(struct relay *r, struct outbound *out, struct config *config, struct route_table *routes);
/* Closes every client and tunnel. */
void relay_done(struct relay *r);
void relay_reload(struct relay *r, struct config *config, struct route_table *routes);
/* A new local connection, and the way by which it came; takes the stream over. `fixed`: of entrance_fixed, which refers to it; else NULL. */
void relay_accept(struct relay *r, const struct entrance *entrance, struct fixed *fixed, struct stream *s);

#endif
