/*
 * Refusals (refusal.h).
 */
#include "relay/refusal.h"

#include "base/log.h"
#include "relay/exchange.h"

#define WAITING_MOST 32
#define TOLD_MS      1000
#define WHO_SHOWN    ((size_t)200)

void refusal_tell(struct exchange *e, struct span why, struct span who)
{
    struct refusals *r = &e->relay->refusals;
    uint64_t now = loop_now(e->relay->out->loop);
    if (now < r->window_ends) {
        r->unlogged++;
        return;
    }
    log_warning(e->tag, "client %s: %.*s%s%.*s%s (%u more since the last such line)",
                stream_peer(e->client->stream), SPAN_ARG(why), who.n ? " (it says it is " : "",
                SPAN_ARG(span_head(who, WHO_SHOWN)), who.n ? ")" : "", r->unlogged);
    r->window_ends = now + TOLD_MS;
    r->unlogged = 0;
}

static void time_is_up(void *owner)
{
    struct exchange *e = owner;
    e->relay->refusals.waiting--;
    e->slow.timer = NULL;
    e->after_slow(e);
}

void refusal_wait(struct exchange *e, const struct sockaddr *peer, uint64_t least,
                  void (*then)(struct exchange *e))
{
    struct refusals *r = &e->relay->refusals;
    struct loop *loop = e->relay->out->loop;
    uint64_t wait = peer ? penalty_failed(&r->penalties, peer, loop_now(loop)) : 0;
    if (r->waiting >= WAITING_MOST) {
        exchange_over(e, CLIENT_ABORT);
        return;
    }
    r->waiting++;
    e->after_slow = then;
    deadline_start(loop, &e->slow, wait > least ? wait : least, time_is_up, e);
}

bool refusal_waits(const struct exchange *e)
{
    return e->slow.timer != NULL;
}

void refusal_forget(struct exchange *e)
{
    if (e->slow.timer)
        e->relay->refusals.waiting--;
    deadline_stop(&e->slow);
}
