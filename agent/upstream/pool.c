/*
 * The pool of one hop, made when the first lease asks and freed with the hop. While a connection is idle its stream reports here.
 */
#include "upstream/pool.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"

#define IDLE_MS                                                                                              \
    50000 /* below the two minutes after which proxies usually close an idle connection, and the minute of some */

struct pool {
    struct outbound *out;
    struct hop *hop;     /* not a reference: the hop frees its pool */
    struct list all;     /* every connection but tunnels */
    struct list idle;    /* READY, most recently used first */
    struct list waiting; /* leases */
    size_t open;         /* length of `all` */
    size_t dialling;
    struct deadline expiry; /* running while `idle` is not empty */
};

static void serve_waiting(struct pool *p);

static void pool_free(void *memory)
{
    struct pool *p = memory;
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
    p->open--;
    if (list_empty(&p->idle))
        deadline_stop(&p->expiry);
}

static void close_one(struct pool *p, struct upstream *u)
{
    struct hop *hop = hop_ref(p->hop);
    sign_off(p, u);
    upstream_free(u);
    serve_waiting(p);
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

static void idle_end(void *owner)
{
    struct upstream *u = owner;
    log_debug(u->tag, "%s closed the idle connection", u->hop->name);
    break_promise(u);
    close_one(u->hop->pool, u);
}

static void idle_data(void *owner, struct span bytes)
{
    struct upstream *u = owner;
    log_info(u->tag, "%s sent %zu bytes that nobody had asked for; the connection is closed", u->hop->name,
             bytes.n);
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
    uint64_t now = loop_now(p->out->loop);
    while (!list_empty(&p->idle)) {
        struct upstream *oldest = list_entry(p->idle.prev, struct upstream, idle);
        if (oldest->idle_since + IDLE_MS > now) {
            deadline_start(p->out->loop, &p->expiry, oldest->idle_since + IDLE_MS - now, expire, p);
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
    if (u->stale) { /* flushed since the promise */
        break_promise(u);
        close_one(l->pool, u);
        return;
    }
    l->granted_one = NULL;
    l->active = false;
    u->promised_to = NULL;
    l->events->granted(l->owner, u);
}

static void grant(struct lease *l, struct upstream *u)
{
    list_remove(&u->idle);
    u->promised_to = l; /* the stream still reports to us until the delivery */
    l->granted_one = u;
    later_start(l->pool->out->loop, &l->deliver, deliver, l);
}

static void dialled(void *owner, struct stream *s)
{
    struct lease *l = owner;
    struct pool *p = l->pool;
    l->dial = NULL;
    p->dialling--;
    struct upstream *u = upstream_new(p->out, p->hop, s);
    list_push_back(&p->all, &u->link);
    p->open++;
    l->active = false;
    l->events->granted(l->owner, u);
}

static void dial_failed(void *owner, enum dial_failure kind, const struct err *why)
{
    struct lease *l = owner;
    struct pool *p = l->pool;
    struct hop *hop = hop_ref(p->hop);
    l->dial = NULL;
    p->dialling--;
    l->active = false;
    l->events->failed(l->owner, kind, why);
    serve_waiting(p);
    hop_unref(hop);
}

static const struct dial_events dial_events = {dialled, dial_failed};

static void dial_for(struct lease *l)
{
    struct pool *p = l->pool;
    p->dialling++;
    l->dial =
        dial_start(p->out->loop, span_str(p->hop->host), p->hop->port, p->hop->dial_ms, &dial_events, l);
    if (p->hop->tls)
        dial_over_tls(l->dial, p->hop->tls);
}

static bool room(const struct pool *p)
{
    return p->open + p->dialling < p->hop->connections;
}

/* A full pool with idle connections makes room by closing the oldest: somebody wants a fresh one. */
static void make_room(struct pool *p)
{
    if (!room(p) && !list_empty(&p->idle)) {
        struct upstream *oldest = list_entry(p->idle.prev, struct upstream, idle);
        sign_off(p, oldest);
        upstream_free(oldest);
    }
}

static void serve_waiting(struct pool *p)
{
    while (!list_empty(&p->waiting)) {
        struct lease *first = list_entry(p->waiting.next, struct lease, waiting);
        if (first->fresh)
            make_room(p);
        if (!first->fresh && !list_empty(&p->idle)) {
            list_remove(&first->waiting);
            grant(first, list_entry(p->idle.next, struct upstream, idle));
        } else if (room(p)) {
            list_remove(&first->waiting);
            dial_for(first);
        } else {
            return;
        }
    }
}

void lease_start(struct lease *l, struct outbound *out, struct hop *hop, bool fresh,
                 const struct lease_events *events, void *owner)
{
    struct pool *p = pool_of(out, hop);
    *l = (struct lease){.pool = p, .events = events, .owner = owner, .active = true, .fresh = fresh};
    list_init(&l->waiting);
    if (!fresh && list_empty(&p->waiting) && !list_empty(&p->idle)) {
        grant(l, list_entry(p->idle.next, struct upstream, idle));
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
    if (l->dial) {
        dial_cancel(l->dial);
        l->dial = NULL;
        l->pool->dialling--;
    }
    if (l->granted_one) {
        struct upstream *u = l->granted_one;
        l->granted_one = NULL;
        u->promised_to = NULL;
        pool_give(u);
    } else {
        serve_waiting(l->pool);
    }
}

/* --- the ways back --- */

void pool_give(struct upstream *u)
{
    struct pool *p = u->hop->pool;
    if (u->stale || u->hop->retired) {
        close_one(p, u);
        return;
    }
    upstream_move(u, UPSTREAM_READY);
    u->used = true;
    u->idle_since = loop_now(p->out->loop);
    list_push_front(&p->idle, &u->idle);
    stream_own(u->stream, &idle_events, u);
    stream_read(u->stream);
    if (list_empty(&p->waiting)) {
        if (!p->expiry.timer)
            deadline_start(p->out->loop, &p->expiry, IDLE_MS, expire, p);
    } else {
        serve_waiting(p);
    }
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
    serve_waiting(p);
    hop_unref(hop);
    return s;
}

void pool_flush(struct hop *hop)
{
    struct pool *p = hop->pool;
    if (!p)
        return;
    struct list *it, *safe;
    list_each(it, safe, &p->all) list_entry(it, struct upstream, link)->stale = true;
    hop_ref(hop);
    while (!list_empty(&p->idle))
        close_one(p, list_entry(p->idle.next, struct upstream, idle));
    hop_unref(hop);
}

void pool_retire(struct hop *hop)
{
    hop->retired = true;
    pool_flush(hop);
}

struct pool_figures pool_figures(const struct hop *hop)
{
    const struct pool *p = hop->pool;
    struct pool_figures figures = {0};
    if (!p)
        return figures;
    for (const struct list *it = p->idle.next; it != &p->idle; it = it->next)
        figures.idle++;
    for (const struct list *it = p->waiting.next; it != &p->waiting; it = it->next)
        figures.waiting++;
    figures.busy = p->open - figures.idle + p->dialling;
    return figures;
}
