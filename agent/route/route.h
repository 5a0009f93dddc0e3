/*
 * Where to: a destination to the hops to try, in order, and why. One table per configuration; reference-counted, so that requests under way keep the one they
 * began with. Loop thread only.
 */
#ifndef EXEAT_ROUTE_ROUTE_H
#define EXEAT_ROUTE_ROUTE_H

#include "route/hop.h"

struct route_table;

struct route {
    struct hop **hops; /* the table's; take a reference to keep one */
    size_t n;
    const char *why; /* "no-proxy .internal.example", "upstream corp" */
};

struct route_table *route_table_new(const struct config *c, struct err *e);
struct route_table *route_table_ref(struct route_table *t);
void route_table_unref(struct route_table *t);

/* The answer's hops are valid until the next route_find or the table's end. */
void route_find(struct route_table *t, struct span host, uint16_t port, struct route *answer);

/* The hops of the configured proxies, upstream after upstream. */
struct hop **route_table_proxies(const struct route_table *t, size_t *n);
/* Every hop there is, direct ones too. `visit` must not end the table. */
void route_table_each(struct route_table *t, void (*visit)(struct hop *h));

#endif
