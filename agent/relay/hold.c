/*
 * CONNECTs that wait for a password (hold.h). The generations are remembered because a refusal may come late: of a password that has been replaced while it
 * was at the proxy. No event would end that waiting.
 */
#include "relay/hold.h"

#include <stdlib.h>

#include "base/log.h"
#include "relay/exchange.h"
#include "relay/gate.h"
#include "relay/reply.h"

#define HOLDS_MOST       256
#define GENERATIONS_MOST 1024 /* a password that so many others have followed is not on its way any more */

struct newest {
    struct list link;
    char *upstream;
    char *user; /* "": its own */
    uint32_t generation;
    uint32_t instance; /* of the keyholder: another one counts from the beginning */
};

void holds_init(struct holds *holds)
{
    *holds = (struct holds){0};
    list_init(&holds->waiting);
    list_init(&holds->generations);
}

static void forget_oldest(struct holds *holds)
{
    struct newest *g = list_entry(holds->generations.prev, struct newest, link);
    list_remove(&g->link);
    holds->n_generations--;
    free(g->upstream);
    free(g->user);
    free(g);
}

void holds_done(struct holds *holds)
{
    while (!list_empty(&holds->generations))
        forget_oldest(holds);
}

static struct newest *find_newest(struct holds *holds, struct span upstream, struct span user)
{
    struct list *it, *safe;
    list_each(it, safe, &holds->generations)
    {
        struct newest *g = list_entry(it, struct newest, link);
        if (span_eq(span_str(g->upstream), upstream) && span_eq(span_str(g->user), user))
            return g;
    }
    return NULL;
}

static const char *upstream_of(const struct exchange *e)
{
    return e->hold.upstream;
}

static struct exchange *exchange_of(struct list *link)
{
    return list_entry(list_entry(link, struct hold, link), struct exchange, hold);
}

static void stop(struct exchange *e)
{
    if (!e->hold.active)
        return;
    e->hold.active = false;
    deadline_stop(&e->hold.deadline);
    list_remove(&e->hold.link);
    e->relay->holds.n--;
}

void hold_free(struct exchange *e)
{
    stop(e);
    free(e->hold.upstream);
    free(e->hold.user);
    e->hold.upstream = e->hold.user = NULL;
    buf_free(&e->hold.why);
    buf_free(&e->hold.remedy);
}

static void time_is_up(void *owner)
{
    struct exchange *e = owner;
    stop(e);
    reply_page(e, e->hold.cause, 0, buf_span(&e->hold.why), buf_span(&e->hold.remedy));
}

/* Was what failed replaced before we knew that it fails? Then there is nothing to wait for. Once for each generation. */
static bool is_outdated(struct exchange *e, uint32_t generation)
{
    const struct newest *g = find_newest(&e->relay->holds, span_str(upstream_of(e)), span_str(e->hold.user));
    if (!g || g->instance != keys_client_instance(e->relay->out->keys) || generation >= g->generation ||
        e->hold.retried == g->generation)
        return false;
    e->hold.retried = g->generation;
    return true;
}

/* Milliseconds that are left of its patience, by the settings of now. */
static uint64_t patience(const struct exchange *e)
{
    const struct config_upstream *u = config_upstream_named(e->relay->config, span_str(upstream_of(e)));
    uint64_t most = u ? (uint64_t)u->wait_for_password * 1000 : 0;
    uint64_t gone = e->hold.before ? loop_now(e->relay->out->loop) - e->hold.since : 0;
    return most > gone ? most - gone : 0;
}

/* In a chain each upstream has generations of its own. */
static void set_whose(struct hold *h, const char *upstream, const char *user)
{
    if (!span_eq(span_str(h->upstream), span_str(upstream)) || !span_eq(span_str(h->user), span_str(user)))
        h->retried = 0;
    free(h->upstream);
    free(h->user);
    h->upstream = mem_strdup(upstream);
    h->user = mem_strdup(user);
}

bool hold_failure(struct exchange *e, const struct ask_failure *failure)
{
    struct hold *h = &e->hold;
    if (!e->connect || !failure->login_helps)
        return false;
    const char *user = hop_known_as(e->hops[e->at], span_str(failure->upstream));
    if (gate_acts(e) && !user)
        return false;
    set_whose(h, failure->upstream, user);
    uint64_t left = patience(e);
    if (!left || e->relay->holds.n >= HOLDS_MOST || e->relay->draining)
        return false;
    if (!h->before) {
        h->before = true;
        h->since = loop_now(e->relay->out->loop);
        log_info(e->tag, "waits up to %llu s for a new password%s%s (exeat login %s%s)",
                 (unsigned long long)left / 1000, user ? " of " : "", user ? user : "", upstream_of(e),
                 user ? " --for" : "");
    }
    if (is_outdated(e, failure->generation)) {
        exchange_again(e);
        return true;
    }
    h->cause = failure->cause;
    buf_clear(&h->why);
    buf_clear(&h->remedy);
    buf_add_span(&h->why, failure->why);
    buf_add_span(&h->remedy, failure->remedy);
    h->active = true;
    list_push_back(&e->relay->holds.waiting, &h->link);
    e->relay->holds.n++;
    deadline_start(e->relay->out->loop, &h->deadline, left, time_is_up, e);
    client_feed(e->client); /* its end is noticed from here on, and may have been */
    return true;
}

/* All, or those of one upstream and user. What fails again does so later, so nobody is met twice. */
static void go_round(struct relay *r, const struct newest *of)
{
    struct list *it, *safe;
    list_each(it, safe, &r->holds.waiting)
    {
        struct exchange *e = exchange_of(it);
        if (of && (strcmp(upstream_of(e), of->upstream) != 0 ||
                   !span_eq(span_str(e->hold.user), span_str(of->user))))
            continue;
        stop(e);
        exchange_again(e);
    }
}

void holds_generation(struct relay *r, struct span upstream, struct span user, uint32_t generation)
{
    struct holds *holds = &r->holds;
    struct newest *g = find_newest(holds, upstream, user);
    if (g) {
        list_remove(&g->link);
    } else {
        if (holds->n_generations == GENERATIONS_MOST)
            forget_oldest(holds);
        g = mem_zero(sizeof *g);
        g->upstream = span_dup(upstream);
        g->user = span_dup(user);
        holds->n_generations++;
    }
    list_push_front(&holds->generations, &g->link);
    g->generation = generation;
    g->instance = keys_client_instance(r->out->keys);
    go_round(r, g);
}

void holds_keyholder_ended(struct relay *r)
{
    struct list *it, *safe;
    list_each(it, safe, &r->holds.waiting)
    {
        struct exchange *e = exchange_of(it);
        if (!e->hold.user)
            continue;
        stop(e);
        gate_asks_again(e);
    }
}

void holds_reloaded(struct relay *r)
{
    go_round(r, NULL);
}

void holds_give_up(struct relay *r)
{
    struct list *it, *safe;
    list_each(it, safe, &r->holds.waiting) time_is_up(exchange_of(it));
}

size_t holds_count(const struct relay *r, const char *upstream)
{
    struct list *it, *safe;
    size_t n = 0;
    list_each(it, safe, &r->holds.waiting) n += strcmp(upstream_of(exchange_of(it)), upstream) == 0;
    return n;
}
