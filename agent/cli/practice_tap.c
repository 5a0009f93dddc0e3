/*
 * The tap (practice_tap.h). Each connection is two streams and, for either way, a reader that follows the framing of the messages from head to head. What a reader
 * does not understand is passed on all the same; it is only told no more of. A side that is slow makes the other one wait.
 */
#include "cli/practice_tap.h"

#include <stdlib.h>

#include "base/list.h"
#include "http/body.h"
#include "net/dial.h"

#define DIAL_MS     10000u
#define BACKLOG_MAX ((size_t)256 * 1024)
#define HEAD_MAX    ((size_t)1 << 20)

/* One way of one connection. */
struct way {
    struct pair *pair;
    struct stream *from, *to; /* `from` NULL: not connected yet */
    enum tap_way which;
    enum { HEAD, BODY, DEAF } state;
    struct buf bytes; /* of a head that is not whole */
    size_t scanned;
    struct body body;
    bool ended;
};

struct pair {
    struct tap *tap;
    struct list link;
    struct dial *dial;
    unsigned number;
    struct buf method; /* of the request that was answered last, or is to be */
    struct way ways[2];
};

struct tap {
    struct loop *loop;
    struct listener *listener;
    const struct tap_events *events;
    void *owner;
    struct list pairs;
    unsigned seen, open;
    uint16_t port;
};

static void pair_free(struct pair *p)
{
    if (p->dial)
        dial_cancel(p->dial);
    for (size_t i = 0; i < 2; i++) {
        struct way *w = &p->ways[i];
        if (w->from)
            stream_close(w->from);
        buf_free(&w->bytes);
        body_free(&w->body);
    }
    buf_free(&p->method);
    list_remove(&p->link);
    p->tap->open--;
    free(p);
}

/* --- what passes --- */

/* Both ways: where one cannot be followed, the other's messages cannot be told apart for long either. */
static void go_deaf(struct pair *p, enum tap_deaf why)
{
    if (p->ways[TAP_UP].state == DEAF)
        return;
    for (size_t i = 0; i < 2; i++) {
        p->ways[i].state = DEAF;
        buf_free(&p->ways[i].bytes);
    }
    p->tap->events->deaf(p->tap->owner, p->number, why);
}

/* A request's method is what tells how its answer is framed. */
static bool find_body(struct way *w, const struct head *h, struct body_rule *rule)
{
    struct fault fault;
    struct buf *method = &w->pair->method;
    if (w->which == TAP_DOWN)
        return framing_response(h, buf_span(method), rule, &fault);
    buf_clear(method);
    buf_add_span(method, h->method);
    return framing_request(h, rule, &fault);
}

static void take_head(struct way *w, struct span block)
{
    struct pair *p = w->pair;
    struct fault fault;
    struct head h;
    struct body_rule rule;
    bool good = w->which == TAP_UP ? head_read_request(&h, block, &head_limits_default, &fault)
                                   : head_read_response(&h, block, &head_limits_default, true, &fault);
    if (!good) {
        go_deaf(p, TAP_ODD);
        return;
    }
    p->tap->events->head(p->tap->owner, p->number, w->which, &h);
    if (!find_body(w, &h, &rule)) {
        go_deaf(p, TAP_ODD);
    } else if (rule.kind == BODY_TUNNEL) {
        go_deaf(p, TAP_TUNNEL);
    } else {
        body_free(&w->body);
        body_start(&w->body, rule);
        w->state = BODY;
    }
    head_free(&h);
}

/* Adds to the head that has begun; true when it is whole, with what follows it left in *in. */
static bool gather_head(struct way *w, struct span *in)
{
    size_t before = w->bytes.n;
    if (before == 0)
        *in = span_from(*in, head_skip_empty_lines(*in));
    buf_add_span(&w->bytes, *in);
    size_t length = head_end(buf_span(&w->bytes), &w->scanned);
    if (length == 0) {
        *in = SPAN("");
        if (w->bytes.n > HEAD_MAX)
            go_deaf(w->pair, TAP_ODD);
        return false;
    }
    *in = span_from(*in, length - before);
    w->bytes.n = length;
    w->scanned = 0;
    return true;
}

static void follow(struct way *w, struct span in)
{
    struct span data;
    while (in.n && w->state != DEAF) {
        if (w->state == HEAD) {
            if (!gather_head(w, &in))
                continue;
            struct buf block = w->bytes;
            w->bytes = (struct buf){0};
            take_head(w, buf_span(&block));
            buf_free(&block);
            continue;
        }
        switch (body_read(&w->body, &in, &data)) {
        case CHUNKED_END:
            w->state = HEAD;
            break;
        case CHUNKED_BAD:
            go_deaf(w->pair, TAP_ODD);
            break;
        default:
            break;
        }
    }
    if (w->state == BODY && body_ended(&w->body))
        w->state = HEAD;
}

/* --- the streams --- */

static void on_data(void *owner, struct span bytes)
{
    struct way *w = owner;
    follow(w, bytes);
    stream_write(w->to, bytes);
    if (stream_backlog(w->to) > BACKLOG_MAX)
        stream_pause(w->from);
}

/* Both sides have said all, and have heard it. */
static bool pair_is_over(const struct pair *p)
{
    for (size_t i = 0; i < 2; i++)
        if (!p->ways[i].ended || stream_backlog(p->ways[i].to))
            return false;
    return true;
}

static void on_eof(void *owner)
{
    struct way *w = owner;
    w->ended = true;
    stream_shutdown(w->to);
    if (pair_is_over(w->pair))
        pair_free(w->pair);
}

/* What was written towards `from` has left: whoever waited for that goes on. */
static void on_drained(void *owner)
{
    const struct way *w = owner;
    struct way *back = &w->pair->ways[!w->which];
    if (pair_is_over(w->pair))
        pair_free(w->pair);
    else if (back->from)
        stream_read(back->from);
}

static void on_failed(void *owner, const struct err *why)
{
    const struct way *w = owner;
    (void)why;
    pair_free(w->pair);
}

static const struct stream_events way_events = {on_data, on_eof, on_drained, on_failed};

static void connected(void *owner, struct stream *s)
{
    struct pair *p = owner;
    p->dial = NULL;
    p->ways[TAP_DOWN].from = p->ways[TAP_UP].to = s;
    stream_own(s, &way_events, &p->ways[TAP_DOWN]);
    stream_read(s);
    stream_read(p->ways[TAP_UP].from);
}

static void not_connected(void *owner, enum dial_failure kind, const struct err *why)
{
    struct pair *p = owner;
    (void)kind;
    (void)why;
    p->dial = NULL;
    pair_free(p);
}

static void accepted(void *owner, struct stream *s)
{
    static const struct dial_events events = {connected, not_connected};
    struct tap *t = owner;
    struct pair *p = mem_zero(sizeof *p);
    p->tap = t;
    p->number = ++t->seen;
    t->open++;
    list_push_back(&t->pairs, &p->link);
    for (size_t i = 0; i < 2; i++)
        p->ways[i] = (struct way){.pair = p, .which = (enum tap_way)i};
    p->ways[TAP_UP].from = p->ways[TAP_DOWN].to = s;
    stream_own(s, &way_events, &p->ways[TAP_UP]);
    p->dial = dial_start(t->loop, SPAN("127.0.0.1"), t->port, DIAL_MS, &events, p);
}

struct tap *tap_new(struct loop *loop, const struct given *at, uint16_t port, const struct tap_events *events,
                    void *owner, struct err *e)
{
    struct tap *t = mem_zero(sizeof *t);
    *t = (struct tap){.loop = loop, .events = events, .owner = owner, .port = port};
    list_init(&t->pairs);
    t->listener = listen_given(loop, at, accepted, t, e);
    if (t->listener)
        return t;
    free(t);
    return NULL;
}

unsigned tap_open(const struct tap *t)
{
    return t->open;
}

void tap_free(struct tap *t)
{
    if (!t)
        return;
    listener_close(t->listener);
    while (!list_empty(&t->pairs))
        pair_free(list_entry(t->pairs.next, struct pair, link));
    free(t);
}
