/*
 * One road. What it leads through ends in a stream that reaches the hop; then TLS, where it is wanted. Its parts (a dial, a CONNECT, a SOCKS handshake) end in
 * exactly one of the functions below, and the road with them.
 */
#include "upstream/road.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "http/target.h"
#include "upstream/ask.h"
#include "upstream/socks_way.h"
#include "upstream/unreachable.h"

#define HEAD_BYTES ((size_t)256 * 1024)

struct road {
    struct outbound *out;
    struct hop *hop;
    struct behalf behalf;
    const struct road_events *events;
    void *owner;
    struct dial *dial;  /* straight, or the TLS handshake in a tunnel; NULL: not running */
    struct hop **order; /* those through which it leads, as they are tried; the hop's references */
    size_t n, at;
    struct socks_way socks;
    struct ask ask;
    struct head head; /* of our CONNECT */
    struct buf text, authority;
    struct header_changes changes; /* of it */
    struct deadline deadline;
    char tag[24];
};

static void release(struct road *r)
{
    if (r->dial)
        dial_cancel(r->dial);
    deadline_stop(&r->deadline);
    socks_way_cancel(&r->socks);
    ask_cancel(&r->ask);
    head_free(&r->head);
    buf_free(&r->text);
    buf_free(&r->authority);
    header_changes_free(&r->changes);
    free(r->order);
    free(r);
}

void road_cancel(struct road *r)
{
    release(r);
}

static void connected(struct road *r, struct stream *s)
{
    const struct road_events *events = r->events;
    void *owner = r->owner;
    release(r);
    events->connected(owner, s);
}

/* `why` may lie in the road's own memory. */
static void failed(struct road *r, const struct unreached *why)
{
    const struct road_events *events = r->events;
    void *owner = r->owner;
    struct buf words = {0}, remedy = {0};
    struct unreached told = *why;
    buf_add_span(&words, why->why);
    buf_add_span(&remedy, why->remedy);
    told.why = buf_span(&words);
    told.remedy = buf_span(&remedy);
    release(r);
    events->failed(owner, &told);
    buf_free(&words);
    buf_free(&remedy);
}

/* --- straight, and TLS --- */

static void dialled(void *owner, struct stream *s)
{
    struct road *r = owner;
    r->dial = NULL;
    connected(r, s);
}

static void not_dialled(void *owner, enum dial_failure kind, const struct err *why)
{
    struct road *r = owner;
    r->dial = NULL;
    failed(r, &(struct unreached){.cause = unreachable_cause(kind),
                                  .why = span_str(why->text),
                                  .remedy = unreachable_remedy(kind, hop_is_direct(r->hop)),
                                  .sleeps = kind != DIAL_DESCRIPTORS &&
                                            kind != DIAL_KEPT_OUT}); /* these are our own */
}

static const struct dial_events events_of_dial = {dialled, not_dialled};

static void straight(struct road *r)
{
    r->dial =
        dial_start(r->out->loop, span_str(r->hop->host), r->hop->port, r->hop->dial_ms, &events_of_dial, r);
    if (r->hop->tls)
        dial_over_tls(r->dial, r->hop->tls);
    if (r->hop->outside)
        dial_outside(r->dial);
}

/* --- through another hop --- */

static void try_next(struct road *r);

/* A proxy, or a SOCKS server, is what is to be reached: its name goes in front, so that it is clear which one of them failed. */
static bool leads_to_proxy(const struct road *r)
{
    return !hop_is_direct(r->hop);
}

/* false: all have been tried. */
static bool another_way(struct road *r, struct span why)
{
    if (r->at + 1 >= r->n)
        return false;
    r->at++;
    log_warning(r->tag, "%.*s; trying %s", SPAN_ARG(why), r->order[r->at]->name);
    try_next(r);
    return true;
}

/* `at`: the one that we went through. */
static void way_failed(struct road *r, const struct hop *at, const struct unreached *why)
{
    static const unsigned unreachable = 1u << PAGE_DNS | 1u << PAGE_UNREACHABLE | 1u << PAGE_REFUSED |
                                        1u << PAGE_CONNECT_TIMEOUT | 1u << PAGE_TLS;
    struct unreached told = *why;
    struct buf words = {0};
    deadline_stop(&r->deadline);
    if (why->sleeps && another_way(r, why->why))
        return;
    if (leads_to_proxy(r)) {
        buf_addf(&words, "on the way to %s, through %s: %.*s", r->hop->name, at->name, SPAN_ARG(why->why));
        told.why = buf_span(&words);
        /* What is wrong with credentials, or with us, says nothing of the hop behind. */
        told.sleeps = !why->upstream && why->cause != PAGE_BUSY && why->cause != PAGE_AUTHENTICATE;
        told.final = why->upstream || !(unreachable & 1u << why->cause);
    }
    failed(r, &told);
    buf_free(&words);
}

/* Whose fault it is nobody knows: this one may be silent, or wait for the hop. */
static void time_is_up(void *owner)
{
    struct road *r = owner;
    const struct hop *at = r->order[r->at];
    struct buf words = {0};
    socks_way_cancel(&r->socks);
    ask_cancel(&r->ask);
    buf_addf(&words, "connecting to %s through %s took too long", r->hop->name, at->name);
    if (!another_way(r, buf_span(&words)))
        failed(r, &(struct unreached){.cause = PAGE_CONNECT_TIMEOUT,
                                      .why = buf_span(&words),
                                      .remedy = unreachable_remedy(DIAL_TIMEOUT, false),
                                      .sleeps = true});
    buf_free(&words);
}

/* There is a stream to the hop. */
static void reached(struct road *r, struct stream *s, struct span early)
{
    deadline_stop(&r->deadline);
    if (!r->hop->tls) {
        stream_unread(s, early);
        connected(r, s);
        return;
    }
    if (early.n) {
        stream_close(s);
        way_failed(r, r->order[r->at],
                   &(struct unreached){.cause = PAGE_TLS,
                                       .why = SPAN("something spoke before the TLS handshake"),
                                       .remedy = unreachable_remedy(DIAL_TLS, false)});
        return;
    }
    r->dial = dial_inside(s, span_str(r->hop->host), r->hop->port, r->hop->tls, r->hop->dial_ms,
                          &events_of_dial, r);
}

/* --- a SOCKS server --- */

static void socks_open(void *owner, struct span early)
{
    struct road *r = owner;
    struct buf kept = {0};
    buf_add_span(&kept, early);
    struct stream *s = pool_take_stream(socks_way_take(&r->socks));
    socks_way_cancel(&r->socks);
    reached(r, s, buf_span(&kept));
    buf_free(&kept);
}

static void socks_failed(void *owner, const struct unreached *why)
{
    struct road *r = owner;
    way_failed(r, r->order[r->at], why);
}

/* --- a proxy --- */

static void informational(void *owner, const struct head *h)
{
    (void)owner;
    (void)h;
}

static void no_body(void *owner)
{
    (void)owner;
}

static enum ask_rewind nothing_to_rewind(void *owner)
{
    (void)owner;
    return ASK_REWIND_WHOLE;
}

/* It says no to CONNECT. */
static void no_tunnel(struct road *r)
{
    const struct hop *at = r->order[r->at];
    const struct head *answer = &r->ask.leg.head;
    struct buf words = {0};
    unreachable_tunnel_words(&words, at->name, answer, buf_span(&r->authority));
    struct unreached why = {.cause = unreachable_tunnel_cause(answer),
                            .why = buf_span(&words),
                            .remedy = unreachable_tunnel_remedy(answer),
                            .final = true};
    pool_close(ask_take(&r->ask));
    way_failed(r, at, &why);
    buf_free(&words);
}

static void answered(void *owner)
{
    struct road *r = owner;
    struct buf early = {0};
    if (r->ask.leg.rule.kind != BODY_TUNNEL || r->ask.leg.head.status == 101) {
        no_tunnel(r);
        return;
    }
    buf_add_span(&early, leg_rest(&r->ask.leg));
    reached(r, pool_take_stream(ask_take(&r->ask)), buf_span(&early));
    buf_free(&early);
}

static void ask_failed(void *owner, const struct ask_failure *failure)
{
    struct road *r = owner;
    struct unreached why = {.cause = failure->cause,
                            .why = failure->why,
                            .remedy = failure->remedy,
                            .sleeps = failure->nothing_sent && !failure->final && !failure->upstream,
                            .final = failure->final || failure->upstream,
                            .upstream = failure->upstream,
                            .login_helps = failure->login_helps,
                            .generation = failure->generation};
    way_failed(r, r->order[r->at], &why);
}

static void ask_for_tunnel(struct road *r, struct hop *at)
{
    static const struct ask_events events = {informational, no_body,  nothing_to_rewind, no_body,
                                             no_body,       answered, ask_failed};
    struct destination to = destination_of(span_str(r->hop->host), r->hop->port);
    struct fault fault;
    header_rules_choose(at->headers, &to, at->upstream, &r->changes);
    buf_clear(&r->text);
    buf_clear(&r->authority);
    head_free(&r->head);
    target_add_authority(&r->authority, span_str(r->hop->host), r->hop->port);
    buf_addf(&r->text, "CONNECT %.*s HTTP/1.1\r\nHost: %.*s\r\n\r\n", SPAN_ARG(buf_span(&r->authority)),
             SPAN_ARG(buf_span(&r->authority)));
    head_read_request(&r->head, buf_span(&r->text), &head_limits_default, &fault);
    struct ask_request request = {
        .head = &r->head,
        .how = {.target = buf_span(&r->authority),
                .host = buf_span(&r->authority),
                .via = span_str(r->out->pseudonym),
                .to_proxy = true,
                .changes = &r->changes},
        .body = ASK_BODY_NONE,
        .max_head = HEAD_BYTES,
        .behalf = r->behalf,
    };
    ask_start(&r->ask, r->out, at, &request, r->tag, &events, r);
}

/* --- the beginning --- */

static void try_next(struct road *r)
{
    static const struct socks_way_events events = {socks_open, socks_failed};
    struct hop *at = r->order[r->at];
    if (r->hop->dial_ms)
        deadline_start(r->out->loop, &r->deadline, (uint64_t)at->dial_ms + r->hop->dial_ms, time_is_up, r);
    if (at->socks)
        socks_way_start(&r->socks, r->out, at, r->behalf, span_str(r->hop->host), r->hop->port, 0, &events,
                        r);
    else
        ask_for_tunnel(r, at);
}

/* Those that sleep come last. */
static void find_order(struct road *r)
{
    uint64_t now = loop_now(r->out->loop);
    r->order = mem_alloc(r->hop->n_through * sizeof(struct hop *));
    for (int asleep = 0; asleep < 2; asleep++)
        for (size_t i = 0; i < r->hop->n_through; i++)
            if (hop_asleep(r->hop->through[i], now) == (bool)asleep)
                r->order[r->n++] = r->hop->through[i];
}

struct road *road_start(struct outbound *out, struct hop *hop, struct behalf behalf,
                        const struct road_events *events, void *owner)
{
    static unsigned number;
    struct road *r = mem_zero(sizeof *r);
    *r = (struct road){.out = out, .hop = hop, .behalf = behalf, .events = events, .owner = owner};
    snprintf(r->tag, sizeof r->tag, "w%u", ++number);
    if (!hop->n_through) {
        straight(r);
        return r;
    }
    log_debug(r->tag, "to %s through %s", hop->name, hop->through[0]->name);
    find_order(r);
    try_next(r);
    return r;
}
