/*
 * One exchange of heads. The stream's callbacks come here from leg_begin to leg_end; each step ends in exactly one event.
 */
#include "upstream/leg.h"

#include "http/header.h"

#define INFORMATIONAL_MOST 32 /* 1xx answers in one leg: more is a peer that plays with us */

static void stop_waiting(struct leg *l)
{
    deadline_stop(&l->answer);
}

static void break_off(struct leg *l, enum leg_end_kind how, const char *why)
{
    stop_waiting(l);
    stream_pause(l->stream);
    l->gone = true;
    l->state = LEG_REST;
    l->events->broke(l->owner, how, why);
}

static void take_head(struct leg *l);

/* The head is there: informational ones go by, the final one stops the reading. */
static void head_complete(struct leg *l, size_t length)
{
    const struct head_limits limits = {
        .bytes = l->max_head, .target = head_limits_default.target, .fields = head_limits_default.fields};
    struct fault fault;
    head_free(&l->head);
    if (!head_read_response(&l->head, span_head(buf_span(&l->in), length), &limits, false, &fault) ||
        !framing_response(&l->head, l->method, &l->rule, &fault)) {
        break_off(l, LEG_MALFORMED, fault.why);
        return;
    }
    buf_drop(&l->in, length);
    l->scanned = 0;
    if (l->head.status < 200 && l->head.status != 101) {
        if (++l->informational > INFORMATIONAL_MOST) {
            break_off(l, LEG_MALFORMED, "it sends interim answers without end");
            return;
        }
        l->events->informational(l->owner, &l->head);
        if (l->state == LEG_HEAD)
            take_head(l);
        return;
    }
    stop_waiting(l);
    stream_pause(l->stream);
    l->state = LEG_ANSWERED;
    l->events->answered(l->owner);
}

static void take_head(struct leg *l)
{
    size_t length = head_end(buf_span(&l->in), &l->scanned);
    if (length)
        head_complete(l, length);
    else if (l->in.n > l->max_head)
        break_off(l, LEG_MALFORMED, "the head of its answer is too large");
}

static void end_drain(struct leg *l, bool whole)
{
    stop_waiting(l);
    body_free(&l->body);
    l->state = LEG_REST;
    if (l->in.n || !whole || !header_keeps_alive(&l->head) || l->rule.kind == BODY_CLOSE)
        l->gone = true;
    buf_free(&l->in);
    l->scanned = 0;
    if (l->gone)
        stream_pause(l->stream);
    else
        stream_read(l->stream); /* to see whether it ends while we think */
    l->events->drained(l->owner, !l->gone);
}

/* Drops what is in `in`. */
static void drop_body(struct leg *l)
{
    struct span in = buf_span(&l->in), data;
    enum chunked_result result;
    while ((result = body_read(&l->body, &in, &data)) == CHUNKED_DATA)
        l->dropped += data.n;
    buf_drop(&l->in, l->in.n - in.n);
    if (result == CHUNKED_END)
        end_drain(l, true);
    else if (result == CHUNKED_BAD || l->dropped > l->drop_limit)
        end_drain(l, false);
}

static void on_data(void *owner, struct span bytes)
{
    struct leg *l = owner;
    if (l->state == LEG_REST) { /* nobody has asked anything */
        l->gone = true;
        stream_pause(l->stream);
        return;
    }
    l->heard = true;
    if (!buf_add_span(&l->in, bytes)) {
        break_off(l, LEG_MALFORMED, "the head of its answer is too large");
        return;
    }
    if (l->state == LEG_HEAD)
        take_head(l);
    else
        drop_body(l);
}

static void ended(struct leg *l, enum leg_end_kind how, const char *why)
{
    switch (l->state) {
    case LEG_REST:
    case LEG_ANSWERED:
        l->gone = true;
        break;
    case LEG_HEAD:
        break_off(l, how, why);
        break;
    case LEG_DRAIN:
        end_drain(l, body_eof(&l->body));
        break;
    }
}

static void on_eof(void *owner)
{
    ended(owner, LEG_CLOSED, "it closed the connection");
}

static void on_failed(void *owner, const struct err *why)
{
    ended(owner, why->code == ERR_PROTOCOL ? LEG_TLS : LEG_CLOSED, why->text);
}

static void on_drained(void *owner)
{
    struct leg *l = owner;
    l->events->writable(l->owner);
}

static const struct stream_events events_of_stream = {on_data, on_eof, on_drained, on_failed};

static void answer_late(void *owner)
{
    struct leg *l = owner;
    if (l->state == LEG_DRAIN)
        end_drain(l, false);
    else
        break_off(owner, LEG_TIMEOUT, "it did not answer in time");
}

void leg_begin(struct leg *l, struct stream *s, size_t max_head, const struct leg_events *events, void *owner)
{
    *l = (struct leg){.stream = s, .events = events, .owner = owner, .max_head = max_head};
    l->in.max = max_head + ((size_t)1 << 20); /* one read beyond the head may come with it */
    stream_own(s, &events_of_stream, l);
    stream_read(s);
}

void leg_send(struct leg *l, struct span head, struct span method, unsigned answer_ms)
{
    l->state = LEG_HEAD;
    l->method = method;
    l->informational = 0;
    l->heard = false;
    buf_clear(&l->in);
    l->scanned = 0;
    l->answer_ms = answer_ms;
    leg_content_out(l);
    stream_write_secret(l->stream, head);
    stream_read(l->stream);
}

void leg_content_flows(struct leg *l)
{
    stop_waiting(l);
}

void leg_content_out(struct leg *l)
{
    if (l->state == LEG_HEAD && l->answer_ms)
        deadline_start(stream_loop(l->stream), &l->answer, l->answer_ms, answer_late, l);
}

void leg_drain(struct leg *l, size_t limit)
{
    l->state = LEG_DRAIN;
    l->dropped = 0;
    l->drop_limit = limit;
    body_start(&l->body, l->rule);
    stream_read(l->stream);
    if (l->answer_ms)
        deadline_start(stream_loop(l->stream), &l->answer, l->answer_ms, answer_late, l);
    drop_body(l);
}

struct span leg_rest(const struct leg *l)
{
    return buf_span(&l->in);
}

bool leg_gone(const struct leg *l)
{
    return l->gone;
}

void leg_end(struct leg *l)
{
    if (!l->stream)
        return;
    stop_waiting(l);
    if (l->state == LEG_DRAIN)
        body_free(&l->body);
    head_free(&l->head);
    buf_free(&l->in);
    l->stream = NULL;
}
