/*
 * The inside of a pool, for pool.c and spare.c alone.
 */
#ifndef EXEAT_UPSTREAM_POOL_INSIDE_H
#define EXEAT_UPSTREAM_POOL_INSIDE_H

#include "upstream/idle.h"
#include "upstream/pool.h"
#include "upstream/spare.h"

struct pool {
    struct outbound *out;
    struct hop *hop;     /* not a reference: the hop frees its pool */
    struct list all;     /* every connection but tunnels */
    struct list idle;    /* READY, most recently used first */
    struct list waiting; /* leases */
    size_t open;         /* length of `all` */
    size_t dialling;     /* leases and spares */
    struct idle_limit limit;
    struct deadline expiry; /* running while `idle` is not empty */
    struct spares spares;
};

/* One more connection on its way; it counts from here. The caller ends that: pool_dialled, or pool->dialling-- where it fails or is cancelled. */
struct road *pool_dial(struct pool *p, struct behalf behalf, const struct road_events *events, void *owner);
struct upstream *pool_dialled(struct pool *p, struct stream *s);
/* From here on the pool hears what its stream says. */
void pool_watch(struct upstream *u);
/* Takes it off the books and closes it, without telling those who wait. */
void pool_drop(struct pool *p, struct upstream *u);
/* There may be something for those who wait. The hop may go with its last connection: the caller keeps a reference. */
void pool_serve(struct pool *p);

#endif
