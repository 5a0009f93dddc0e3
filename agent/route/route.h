/*
 * Where to: a destination to the hops to try, in order, and why. One table per configuration; reference-counted, so that requests under way keep the one they
 * began with. Loop thread only.
 */
#ifndef EXEAT_ROUTE_ROUTE_H
#define EXEAT_ROUTE_ROUTE_H

#include "base/buf.h"
#include "route/headers.h"
#include "route/hop.h"

struct route_table;

/* An upstream, as a way out. */
struct way {
    struct hop **hops;
    size_t n;
    char *reason; /* "upstream corp" */
    bool detour;  /* upstream/detour.c: requests go direct at present */
};

struct route {
    struct way *way;   /* NULL: direct, or blocked */
    struct hop **hops; /* the table's; take a reference to keep one */
    size_t n;          /* 0: the destination is blocked */
    bool
        may_go_direct; /* when-unreachable = direct: without a proxy, while none of these can be reached (route_direct) */
    const char *why; /* "no-proxy .internal.example", "rule *.lab.example lab", "upstream corp" */
};

struct route_table *route_table_new(const struct config *c, struct err *e);
struct route_table *route_table_ref(struct route_table *t);
void route_table_unref(struct route_table *t);

/* The answer's hops are valid until the next route_find or route_direct, or the table's end. */
void route_find(struct route_table *t, struct span host, uint16_t port, struct route *answer);
/* The destination itself as a hop; the table's, as above. */
struct hop *route_direct(struct route_table *t, struct span host, uint16_t port);
/* What a request to this destination by `hop` is sent to: the hop itself, or the destination behind it (hop_wants_beyond); the table's, as above. */
struct hop *route_beyond(struct route_table *t, struct hop *hop, struct span host, uint16_t port,
                         bool tunnel);
/* Is this hop of the answer tried before the others at `now`? In direct mode (may_go_direct) one that has failed since it was last reached is not tried at
   all: a request must not wait for it. */
bool route_prefers(const struct route *r, const struct hop *h, uint64_t now);
/* How route_find decides, line by line, for people; and what would be tried at `now` (loop_now), in that order. */
void route_explain(struct route_table *t, struct span host, uint16_t port, uint64_t now, struct buf *out);

/* The table's changes of fields, or NULL; take a reference to keep them. */
struct header_rules *route_table_headers(const struct route_table *t);
/* The ways out, in the order of the configuration. */
struct way *route_table_ways(const struct route_table *t, size_t *n);
/* The hops of the configured proxies, upstream after upstream. */
struct hop **route_table_proxies(const struct route_table *t, size_t *n);
/* Every hop there is, direct ones too. `visit` must not end the table. */
void route_table_each(struct route_table *t, void (*visit)(struct hop *h));
/* Those whose connections lead to this upstream or through it. */
void route_table_of(struct route_table *t, struct span upstream, void (*visit)(struct hop *h));

#endif
