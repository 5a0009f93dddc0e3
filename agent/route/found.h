/*
 * The ways that PAC scripts name, as hops: what a script returned to a way out. A proxy of an upstream (host, port and http or https as its `proxy` has them) is
 * that upstream's own hop; one that `hosts` of an upstream names is met with its identity; any other proxy, and any other SOCKS server, is a hop without
 * credentials. Each is kept, with its connections and what is known of it, while it is among those used last. A part of a route table. Loop thread only.
 */
#ifndef EXEAT_ROUTE_FOUND_H
#define EXEAT_ROUTE_FOUND_H

#include "route/hop.h"
#include "route/way.h"

struct found_way {
    struct way way;    /* hops: NULL stands for the destination itself (DIRECT); references */
    struct span notes; /* sentences about entries that were skipped, a line each */
    size_t n_direct;   /* how many of the hops are NULL */
};

struct found {
    struct list ways; /* most recently used first */
    size_t n_ways;
    struct list hops; /* of proxies that are no upstream's own, most recently used first; references */
    size_t n_hops;
    struct config *config; /* a reference */
    struct way *upstreams; /* of its upstreams, in their order; lent */
    bool retired;          /* hops made from now on are kept for nobody */
};

void found_init(struct found *f, struct config *c, struct way *ways);
void found_free(struct found *f);

/* Of this result; without hops: nothing in it can be used. Lent until the next call. */
struct found_way *found_way(struct found *f, struct span result);
void found_each(struct found *f, void (*visit)(struct hop *h));
/* Those whose connections lead to this upstream or through it. */
void found_of(struct found *f, struct span upstream, void (*visit)(struct hop *h));
void found_of_user(struct found *f, struct span upstream, struct span user, void (*visit)(struct hop *h));
/* Does a way go direct at present, because none of its proxies can be reached? */
bool found_detour(const struct found *f);

#endif
