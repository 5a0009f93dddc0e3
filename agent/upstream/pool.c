/*
 * The pool of one hop, made when the first lease asks and freed with the hop. While a connection is idle its stream reports here.
 */
#include "upstream/pool_inside.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "upstream/kept.h"

static void pool_free(void *memory)
{
    struct pool *p = memory;
    deadline_stop(&p->spares.expiry);
    deadline_stop(&p->expiry); /* no connection is left: each holds a reference to the hop */
    free(p);
}

static struct pool *pool_of(struct outbound *out, struct hop *hop)
{
    if (!hop->pool) {
        struct pool *p = mem_zero(sizeof *p);
        p->out = out;
        p->hop = hop;
        list_init(&p->all);
        list_init(&p->idle);
        list_init(&p->waiting);
        spares_init(&p->spares);
        hop->pool = p;
        hop->pool_free = pool_free;
    }
    return hop->pool;
}

/* Takes it off the pool's books; the caller frees or hands over. The hop may go with its last reference: keep one. */
static void sign_off(struct pool *p, struct upstream *u)
{
    list_remove(&u->link);
    list_remove(&u->idle);
    kept_leave(u);
    p->open--;
    if (list_empty(&p->idle))
        deadline_stop(&p->expiry);
    if (list_empty(&p->spares.ready))
        deadline_stop(&p->spares.expiry);
}

void pool_drop(struct pool *p, struct upstream *u)
{
    sign_off(p, u);
    upstream_free(u);
}

static void close_one(struct pool *p, struct upstream *u)
{
    struct hop *hop = hop_ref(p->hop);
    pool_drop(p, u);
    pool_serve(p);
    hop_unref(hop);
}

/* --- idle connections --- */

/* It was promised to a lease that has not been told yet: that one goes back to the head of the queue. */
static void break_promise(struct upstream *u)
{
    struct lease *l = u->promised_to;
    if (!l)
        return;
    u->promised_to = NULL;
    later_cancel(&l->deliver);
    l->granted_one = NULL;
    list_push_front(&l->pool->waiting, &l->waiting);
}

static void expire(void *owner);

static uint64_t idle_limit(const struct pool *p)
{
    return idle_limit_ms(&p->limit, loop_now(p->out->loop));
}

/* The proxy has had enough of it: what that says about the others. A spare never was a kept connection. */
static void closed_first(const struct upstream *u)
{
    struct pool *p = u->hop->pool;
    uint64_t now = loop_now(p->out->loop), idle = now - u->idle_since;
    if (u->spare || !idle_limit_closed(&p->limit, idle, now))
        return;
    log_debug(u->tag, "idle connections to %s are closed after %u ms from now on", u->hop->name,
              (unsigned)idle_limit(p));
    deadline_start(p->out->loop, &p->expiry, 0, expire, p);
}

static void idle_end(void *owner)
{
    struct upstream *u = owner;
    log_debug(u->tag, "%s closed the idle connection", u->hop->name);
    closed_first(u);
    break_promise(u);
    close_one(u->hop->pool, u);
}

static void idle_data(void *owner, struct span bytes)
{
    struct upstream *u = owner;
    log_info(u->tag, "%s sent %zu bytes that nobody had asked for; the connection is closed", u->hop->name,
             bytes.n);
    closed_first(u); /* a 408, most often */
    break_promise(u);
    close_one(u->hop->pool, u);
}

static void idle_drained(void *owner)
{
    (void)owner;
}

static void idle_failed(void *owner, const struct err *why)
{
    (void)why;
    idle_end(owner);
}

static const struct stream_events idle_events = {idle_data, idle_end, idle_drained, idle_failed};

static void expire(void *owner)
{
    struct pool *p = owner;
    struct hop *hop = hop_ref(p->hop);
    uint64_t now = loop_now(p->out->loop), limit = idle_limit(p);
    while (!list_empty(&p->idle)) {
        struct upstream *oldest = list_entry(p->idle.prev, struct upstream, idle);
        if (oldest->idle_since + limit > now) {
            deadline_start(p->out->loop, &p->expiry, oldest->idle_since + limit - now, expire, p);
            break;
        }
        log_debug(oldest->tag, "idle for long; closed");
        close_one(p, oldest);
    }
    hop_unref(hop);
}

/* --- leases --- */

static void deliver(void *owner)
{
    struct lease *l = owner;
    struct upstream *u = l->granted_one;
    bool lost = u->challenge.n && !upstream_has_context(u); /* the keyholder that asked for it has ended */
    if (u->stale || lost) {                                 /* flushed since the promise */
        break_promise(u);
        close_one(l->pool, u);
        return;
    }
    l->granted_one = NULL;
    l->active = false;
    u->promised_to = NULL;
    u->spare = false;
    l->events->granted(l->owner, u);
}

static void grant(struct lease *l, struct upstream *u)
{
    list_remove(&u->idle);
    kept_leave(u);
    u->promised_to = l; /* the stream still reports to us until the delivery */
    l->granted_one = u;
    later_start(l->pool->out->loop, &l->deliver, deliver, l);
}

static void dialled(void *owner, struct stream *s)
{
    struct lease *l = owner;
    struct pool *p = l->pool;
    l->road = NULL;
    struct upstream *u = pool_dialled(p, s);
    l->active = false;
    if (!p->hop->socks) /* which has to say something first (socks_way.c) */
        hop_wake(p->hop);
    l->events->granted(l->owner, u);
}

static void not_dialled(void *owner, const struct unreached *why)
{
    struct lease *l = owner;
    struct pool *p = l->pool;
    struct hop *hop = hop_ref(p->hop);
    l->road = NULL;
    p->dialling--;
    l->active = false;
    if (why->sleeps) {
        char *words = span_dup(why->why);
        hop_failed(hop, loop_now(p->out->loop), (unsigned)random(), words);
        free(words);
    }
    l->events->failed(l->owner, why);
    pool_serve(p);
    hop_unref(hop);
}

static const struct road_events road_events = {dialled, not_dialled};

struct road *pool_dial(struct pool *p, struct behalf behalf, const struct road_events *events, void *owner)
{
    struct hop *to = p->hop->acts_for ? p->hop : hop_base(p->hop); /* others share the way to it */
    p->dialling++;
    return road_start(p->out, to, behalf, events, owner);
}

struct upstream *pool_dialled(struct pool *p, struct stream *s)
{
    struct upstream *u = upstream_new(p->out, p->hop, s);
    list_push_back(&p->all, &u->link);
    p->dialling--;
    p->open++;
    return u;
}

static void dial_for(struct lease *l)
{
    l->road = pool_dial(l->pool, l->behalf, &road_events, l);
}

static bool room(const struct pool *p)
{
    return p->open + p->dialling < p->hop->connections;
}

/* A full pool makes room by closing a spare, or the oldest idle connection: somebody wants a fresh one. */
static void make_room(struct pool *p)
{
    if (!room(p) && !spares_yield(p) && !list_empty(&p->idle))
        pool_drop(p, list_entry(p->idle.prev, struct upstream, idle));
}

/* What lies ready: one that has been let in, the last used first, before a spare. */
static struct upstream *at_hand(const struct pool *p, bool fresh)
{
    if (fresh)
        return NULL;
    return list_empty(&p->idle) ? spares_first(p) : list_entry(p->idle.next, struct upstream, idle);
}

void pool_serve(struct pool *p)
{
    while (!list_empty(&p->waiting)) {
        struct lease *first = list_entry(p->waiting.next, struct lease, waiting);
        struct upstream *u = at_hand(p, first->fresh);
        if (!u)
            make_room(p);
        if (u) {
            list_remove(&first->waiting);
            grant(first, u);
        } else if (room(p)) {
            list_remove(&first->waiting);
            dial_for(first);
        } else {
            return;
        }
    }
}

void lease_start(struct lease *l, struct outbound *out, struct hop *hop, struct behalf behalf, bool fresh,
                 const struct lease_events *events, void *owner)
{
    struct pool *p = pool_of(out, hop);
    *l = (struct lease){
        .pool = p, .behalf = behalf, .events = events, .owner = owner, .active = true, .fresh = fresh};
    list_init(&l->waiting);
    struct upstream *u = list_empty(&p->waiting) ? at_hand(p, fresh) : NULL;
    if (u) {
        grant(l, u);
        return;
    }
    make_room(p);
    if (list_empty(&p->waiting) && room(p))
        dial_for(l);
    else
        list_push_back(&p->waiting, &l->waiting);
}

void lease_cancel(struct lease *l)
{
    if (!l->active)
        return;
    l->active = false;
    list_remove(&l->waiting);
    later_cancel(&l->deliver);
    if (l->road) {
        road_cancel(l->road);
        l->road = NULL;
        l->pool->dialling--;
    }
    if (l->granted_one) {
        struct upstream *u = l->granted_one;
        l->granted_one = NULL;
        u->promised_to = NULL;
        if (u->spare)
            pool_close(u);
        else
            pool_give(u);
    } else {
        pool_serve(l->pool);
    }
}

/* --- the ways back --- */

void pool_watch(struct upstream *u)
{
    stream_own(u->stream, &idle_events, u);
    stream_read(u->stream);
}

void pool_give(struct upstream *u)
{
    struct pool *p = u->hop->pool;
    struct outbound *out = p->out;
    if (u->stale || u->hop->retired) {
        close_one(p, u);
        return;
    }
    upstream_move(u, UPSTREAM_READY);
    u->used = true;
    u->idle_since = loop_now(p->out->loop);
    list_push_front(&p->idle, &u->idle);
    kept_add(u);
    pool_watch(u);
    if (list_empty(&p->waiting)) {
        if (!p->expiry.timer)
            deadline_start(p->out->loop, &p->expiry, idle_limit(p), expire, p);
    } else {
        pool_serve(p);
    }
    struct upstream *surplus = kept_surplus(out);
    if (surplus)
        close_one(surplus->hop->pool, surplus);
}

void pool_close(struct upstream *u)
{
    close_one(u->hop->pool, u);
}

struct stream *pool_take_stream(struct upstream *u)
{
    struct pool *p = u->hop->pool;
    struct hop *hop = hop_ref(p->hop);
    sign_off(p, u);
    struct stream *s = upstream_take_stream(u);
    pool_serve(p);
    spares_tunnel(p);
    hop_unref(hop);
    return s;
}

/* Idle ones and spares. */
static void drop_ready(struct pool *p)
{
    struct hop *hop = hop_ref(p->hop);
    while (!list_empty(&p->idle))
        close_one(p, list_entry(p->idle.next, struct upstream, idle));
    spares_flush(p);
    pool_serve(p);
    hop_unref(hop);
}

void pool_flush(struct hop *hop)
{
    struct pool *p = hop->pool;
    if (!p)
        return;
    struct list *it, *safe;
    list_each(it, safe, &p->all) list_entry(it, struct upstream, link)->stale = true;
    drop_ready(p);
}

void pool_drop_idle(struct hop *hop)
{
    struct pool *p = hop->pool;
    if (!p)
        return;
    struct list *it, *safe;
    list_each(it, safe, &p->all)
    {
        struct upstream *u = list_entry(it, struct upstream, link);
        u->stale |= u->promised_to != NULL; /* idle too, until its lease is told */
    }
    p->spares.not_before = 0;
    drop_ready(p);
}

void pool_retire(struct hop *hop)
{
    hop->retired = true;
    pool_flush(hop);
}

/* Of one face of a proxy. */
static struct pool_figures own_figures(const struct pool *p)
{
    struct pool_figures figures = {0};
    for (const struct list *it = p->idle.next; it != &p->idle; it = it->next)
        figures.idle++;
    for (const struct list *it = p->waiting.next; it != &p->waiting; it = it->next)
        figures.waiting++;
    figures.spare = spares_count(p);
    figures.busy = p->open + p->dialling - figures.idle - figures.spare;
    figures.idle_limit_ms = (unsigned)idle_limit(p);
    return figures;
}

struct pool_figures pool_figures(const struct hop *hop)
{
    struct pool_figures all = {0};
    if (hop->pool)
        all = own_figures(hop->pool);
    for (const struct list *it = hop->faces.next; it != &hop->faces; it = it->next) {
        struct pool_figures more = pool_figures(list_entry(it, const struct hop, link));
        all.idle += more.idle;
        all.busy += more.busy;
        all.waiting += more.waiting;
    }
    return all;
}
