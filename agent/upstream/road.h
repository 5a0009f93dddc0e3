/*
 * The way to a hop: how a connection to it is made. Straight (net/dial.h); or through another hop, where it has any (route/hop.h): by a CONNECT to that proxy
 * with all that belongs to it (its pool, its 407, its spares), or by the handshake with that SOCKS server (socks_way.h); and TLS on top, where the hop is reached
 * by it. Those through which it leads are tried in order, those that sleep last. Ends once, never inside road_start, and not at all after road_cancel. The pools
 * take roads and need not know which way they went. Loop thread only.
 */
#ifndef EXEAT_UPSTREAM_ROAD_H
#define EXEAT_UPSTREAM_ROAD_H

#include "http/page.h"
#include "net/dial.h"
#include "route/hop.h"
#include "upstream/outbound.h"

/* Why there is no connection. */
struct unreached {
    enum page_cause cause;
    struct span why, remedy; /* lent for the length of the call */
    bool sleeps;             /* it is the hop that cannot be reached: others are tried first for a while */
    bool final;              /* another hop of the same route would do no better */
    const char *upstream;    /* whose credentials it is about; NULL: nobody's */
    bool login_helps;        /* as in ask_failure, of that upstream */
    uint32_t generation;
};

struct road;

struct road_events {
    void (*connected)(void *owner, struct stream *s); /* yours now; it does not read */
    void (*failed)(void *owner, const struct unreached *why);
};

/* `hop` stays as long as the road: the caller's reference. */
struct road *road_start(struct outbound *out, struct hop *hop, struct behalf behalf,
                        const struct road_events *events, void *owner);
void road_cancel(struct road *r);

#endif
