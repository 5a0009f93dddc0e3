/*
 * Making spares (see spare.h): dial, open a context, ask for a first token, knock with it, keep the challenge. What is under way belongs
 * to its struct spare, which holds a reference to the hop; what is ready belongs to the pool like any other connection of it.
 */
#include "upstream/spare.h"

#include <stdlib.h>

#include "base/log.h"
#include "upstream/ask_keys.h"
#include "upstream/knock.h"
#include "upstream/leg.h"
#include "upstream/pool_inside.h"

#define HEAD_BYTES      ((size_t)256 * 1024)
#define CHALLENGE_BYTES ((size_t)128 * 1024)
#define DROP_BYTES      ((size_t)1 << 20) /* of the 407's body */
#define ANSWER_MS       10000

struct spare {
    struct list link; /* in spares.making */
    struct pool *pool;
    struct hop *hop;   /* a reference */
    struct road *road; /* NULL: over */
    struct upstream *upstream;
    struct leg leg;
    struct keys_call call;
};

/* --- policy --- */

size_t spares_demand(const uint64_t *tunnels, size_t n, uint64_t now, size_t most)
{
    size_t recent = 0;
    for (size_t i = 0; i < n; i++)
        recent += tunnels[i] && now - tunnels[i] < SPARE_MS;
    return recent < most ? recent : most;
}

bool spares_fit(size_t connections, size_t limit)
{
    size_t reserve = limit / 4 ? limit / 4 : 1;
    return connections + 1 + reserve <= limit;
}

static size_t length(const struct list *l)
{
    size_t n = 0;
    for (const struct list *it = l->next; it != l; it = it->next)
        n++;
    return n;
}

size_t spares_count(const struct pool *p)
{
    return length(&p->spares.making) + length(&p->spares.ready);
}

struct upstream *spares_first(const struct pool *p)
{
    return list_empty(&p->spares.ready) ? NULL : list_entry(p->spares.ready.next, struct upstream, idle);
}

void spares_init(struct spares *s)
{
    list_init(&s->making);
    list_init(&s->ready);
}

/* --- ends --- */

static void release(struct spare *s)
{
    keys_call_cancel(&s->call);
    leg_end(&s->leg);
    list_remove(&s->link);
    hop_unref(s->hop);
    free(s);
}

/* Given up before it was ready. */
static void drop(struct spare *s)
{
    struct pool *p = s->pool;
    if (s->road) {
        road_cancel(s->road);
        p->dialling--;
    }
    leg_end(&s->leg);
    if (s->upstream)
        pool_drop(p, s->upstream);
    release(s);
}

static void failed(struct spare *s, const char *why)
{
    struct pool *p = s->pool;
    struct hop *hop = hop_ref(s->hop);
    if (!p->spares.failing)
        log_info(NULL, "%s: no connections are made ready ahead for a while: %s", hop->name, why);
    else
        log_debug(NULL, "%s: a spare connection failed: %s", hop->name, why);
    p->spares.failing = true;
    p->spares.not_before = loop_now(p->out->loop) + SPARE_PAUSE_MS;
    drop(s);
    pool_serve(p);
    hop_unref(hop);
}

static uint64_t life(const struct pool *p)
{
    uint64_t limit = idle_limit_ms(&p->limit, loop_now(p->out->loop));
    return limit < SPARE_MS ? limit : SPARE_MS;
}

static void expire(void *owner)
{
    struct pool *p = owner;
    struct hop *hop = hop_ref(p->hop);
    struct upstream *u;
    while ((u = spares_first(p))) {
        uint64_t end = u->idle_since + life(p), now = loop_now(p->out->loop);
        if (end > now) {
            deadline_start(p->out->loop, &p->spares.expiry, end - now, expire, p);
            break;
        }
        log_debug(u->tag, "nobody needed this spare; closed");
        pool_drop(p, u);
    }
    pool_serve(p);
    hop_unref(hop);
}

bool spares_yield(struct pool *p)
{
    struct upstream *u = spares_first(p);
    if (!list_empty(&p->spares.making))
        drop(list_entry(p->spares.making.next, struct spare, link));
    else if (u)
        pool_drop(p, u);
    else
        return false;
    return true;
}

void spares_flush(struct pool *p)
{
    while (spares_yield(p)) {
    }
}

/* --- one is made --- */

static void ready(struct spare *s)
{
    struct pool *p = s->pool;
    struct upstream *u = s->upstream;
    struct hop *hop = hop_ref(s->hop);
    if (leg_gone(&s->leg)) {
        failed(s, "the proxy closes the connection");
        hop_unref(hop);
        return;
    }
    s->upstream = NULL;
    release(s);
    p->spares.failing = false;
    u->spare = true;
    u->used = true; /* may have been closed under us by the time that it is needed */
    u->idle_since = loop_now(p->out->loop);
    upstream_move(u, UPSTREAM_READY);
    list_push_back(&p->spares.ready, &u->idle);
    if (!p->spares.expiry.timer)
        deadline_start(p->out->loop, &p->spares.expiry, life(p), expire, p);
    log_debug(u->tag, "ready ahead of need%s", u->challenge.n ? ", with a challenge" : "");
    pool_watch(u);
    pool_serve(p);
    hop_unref(hop);
}

static void informational(void *owner, const struct head *h)
{
    (void)owner;
    (void)h;
}

static void answered(void *owner)
{
    struct spare *s = owner;
    struct upstream *u = s->upstream;
    if (s->leg.head.status != 407) {
        failed(s, "the proxy lets requests through without credentials");
        return;
    }
    s->pool->out->counters.challenges++;
    u->challenge.max = CHALLENGE_BYTES;
    if (!ask_keys_gather(&u->challenge, &s->leg.head, "Proxy-Authenticate") || !u->challenge.n) {
        failed(s, "the proxy's challenge is empty or too large");
        return;
    }
    leg_drain(&s->leg, DROP_BYTES);
}

static void drained(void *owner, bool whole)
{
    struct spare *s = owner;
    if (whole)
        ready(s);
    else
        failed(s, "the proxy closes the connection after its challenge");
}

static void broke(void *owner, enum leg_end_kind how, const char *why)
{
    (void)how;
    failed(owner, why);
}

static void writable(void *owner)
{
    (void)owner;
}

static void knock(struct spare *s, struct span token)
{
    struct buf head = {0};
    struct header_request how = {.via = span_str(s->pool->out->pseudonym), .authorization = token};
    upstream_move(s->upstream, UPSTREAM_SHAKING);
    knock_write_aside(&head, "GET", &how);
    leg_send(&s->leg, buf_span(&head), SPAN("GET"), ANSWER_MS);
    buf_free(&head);
}

static void authorized(void *owner, const struct keys_msg *answer)
{
    struct spare *s = owner;
    bool token = answer->header.n && answer->flags & KEYS_KNOCK;
    if (answer->verdict != KEYS_SEND)
        failed(s, "the keyholder has nothing to begin with");
    else if (token && !leg_gone(&s->leg))
        knock(s, answer->header);
    else
        ready(s);
}

static void opened(void *owner, const struct keys_msg *answer)
{
    struct spare *s = owner;
    struct upstream *u = s->upstream;
    if (answer->verdict != KEYS_OK) {
        failed(s, "the keyholder opens no context");
        return;
    }
    ask_keys_opened(u, answer);
    struct keys_msg m = {.type = KEYS_AUTHORIZE,
                         .context = u->context,
                         .method = SPAN("GET"),
                         .target = SPAN(KEYS_ASIDE_TARGET),
                         .flags = KEYS_AHEAD | KEYS_BODY_NONE};
    keys_call_start(u->out->keys, &s->call, &m, authorized, s);
}

static void connected(void *owner, struct stream *stream)
{
    static const struct leg_events events = {informational, answered, drained, broke, writable};
    struct spare *s = owner;
    s->road = NULL;
    s->upstream = pool_dialled(s->pool, stream);
    leg_begin(&s->leg, stream, HEAD_BYTES, &events, s);
    if (!s->hop->authenticates || !s->hop->asks)
        ready(s);
    else if (!ask_keys_open_for(s->upstream, (struct behalf){0}, 0, &s->call, opened, s))
        failed(s, "nobody waits for it");
}

static void not_connected(void *owner, const struct unreached *why)
{
    struct spare *s = owner;
    char *words = span_dup(why->why);
    s->road = NULL;
    s->pool->dialling--;
    failed(s, words);
    free(words);
}

void spares_tunnel(struct pool *p)
{
    static const struct road_events events = {connected, not_connected};
    struct spares *all = &p->spares;
    uint64_t now = loop_now(p->out->loop);
    all->tunnels[all->next_tunnel++ % SPARES_MOST] = now ? now : 1;
    if (p->hop->retired || now < all->not_before || !list_empty(&p->waiting))
        return;
    size_t wanted = spares_demand(all->tunnels, SPARES_MOST, now, p->hop->spares);
    for (size_t have = spares_count(p);
         have < wanted && spares_fit(p->open + p->dialling, p->hop->connections); have++) {
        struct spare *s = mem_zero(sizeof *s);
        s->pool = p;
        s->hop = hop_ref(p->hop);
        list_push_back(&all->making, &s->link);
        s->road = pool_dial(p, (struct behalf){0}, &events, s);
    }
}
