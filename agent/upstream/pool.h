/*
 * The connections of one hop: idle ones to use again (the last used first), spares (spare.h), new ones up to the hop's limit, and those who wait, first
 * come first served. Idle ones are closed a little before the proxy would (idle.h).
 * Every connection of a pool has the hop's one identity; when that changes (pool_flush) idle ones go at once and busy ones after their answer.
 * Loop thread only; all callbacks come later, never inside the call that starts something.
 */
#ifndef EXEAT_UPSTREAM_POOL_H
#define EXEAT_UPSTREAM_POOL_H

#include "upstream/road.h"
#include "upstream/upstream.h"

/* A wish for a connection: the caller's memory, ends once (granted or failed) unless cancelled. */
struct lease {
    struct list waiting;
    struct pool *pool;
    struct behalf behalf;
    struct road *road;
    struct upstream *granted_one;
    struct later deliver;
    const struct lease_events *events;
    void *owner;
    bool active;
    bool fresh;
};

struct lease_events {
    /* Yours until pool_give, pool_close or pool_take_stream; its stream does not read and its callbacks are yet to be set. */
    void (*granted)(void *owner, struct upstream *u);
    void (*failed)(void *owner, const struct unreached *why);
};

/* `fresh`: a new connection, because an old one has just proved stale. */
void lease_start(struct lease *l, struct outbound *out, struct hop *hop, struct behalf behalf, bool fresh,
                 const struct lease_events *events, void *owner);
void lease_cancel(struct lease *l);

/* The answer was read to its end and nothing is left over: for others to use. */
void pool_give(struct upstream *u);
void pool_close(struct upstream *u);
/* The connection becomes a tunnel and does not count any more. */
struct stream *pool_take_stream(struct upstream *u);

/* The identity has changed. */
void pool_flush(struct hop *hop);
/* The network has changed, or we slept: what is idle may be dead without our knowing. Whoever is at work finds out by himself, and a connection
   that still brings its answer is as good as before. */
void pool_drop_idle(struct hop *hop);
/* The configuration has another hop in its place: requests that began with this one still end on it, but nothing is kept for later. */
void pool_retire(struct hop *hop);

struct pool_figures {
    size_t idle;
    size_t busy;  /* leased, dialling included; tunnels are not counted */
    size_t spare; /* made ready ahead of need, or on the way to it */
    size_t waiting;
    unsigned idle_limit_ms; /* after which an idle one is closed */
};
struct pool_figures pool_figures(const struct hop *hop);

#endif
