/*
 * A whole message read with agent/http, as a relay would: head (in pieces of `step` bytes), framing, target,
 * body. For the tests of that room and its fuzz targets. The caller frees the message in every case.
 */
#ifndef EXEAT_TESTS_HTTP_MESSAGE_H
#define EXEAT_TESTS_HTTP_MESSAGE_H

#include "http/chunked.h"
#include "http/framing.h"
#include "http/head.h"
#include "http/header.h"
#include "http/target.h"

#define ACCEPTED   0u
#define INCOMPLETE 1u

struct message {
    struct head head;
    struct target target;
    struct body_rule rule;
    struct buf body;
    struct chunked chunked;
    size_t used; /* bytes of the input */
    struct fault fault;
};

static inline void message_free(struct message *m)
{
    head_free(&m->head);
    buf_free(&m->body);
    chunked_free(&m->chunked);
}

static inline unsigned message_body(struct message *m, struct span bytes, size_t step)
{
    if (m->rule.kind == BODY_LENGTH) {
        if (bytes.n < m->rule.length)
            return INCOMPLETE;
        buf_add_span(&m->body, span_head(bytes, (size_t)m->rule.length));
        m->used += (size_t)m->rule.length;
    }
    if (m->rule.kind != BODY_CHUNKED)
        return ACCEPTED;
    size_t before = bytes.n;
    while (bytes.n) {
        struct span piece = span_head(bytes, step);
        bytes = span_from(bytes, piece.n);
        struct span data;
        enum chunked_result result;
        while ((result = chunked_read(&m->chunked, &piece, &data)) == CHUNKED_DATA)
            buf_add_span(&m->body, data);
        if (result == CHUNKED_BAD) {
            m->fault = (struct fault){400, m->chunked.why};
            return 400;
        }
        if (result == CHUNKED_END) {
            m->used += before - bytes.n - piece.n;
            return ACCEPTED;
        }
    }
    return INCOMPLETE;
}

/* ACCEPTED, INCOMPLETE, or the status of the fault. `response_to`: NULL for a request, otherwise the method
 * that was asked. */
static inline unsigned message_read(struct message *m, struct span bytes, size_t step,
                                    const char *response_to)
{
    *m = (struct message){0};
    chunked_init(&m->chunked);
    size_t scanned = 0;
    size_t skip = 0;
    size_t end = 0;
    for (size_t n = 0; !end && n < bytes.n;) {
        n = n + step < bytes.n ? n + step : bytes.n;
        struct span seen = span_head(bytes, n);
        skip = response_to ? 0 : head_skip_empty_lines(seen);
        end = head_end(span_from(seen, skip), &scanned);
    }
    if (!end)
        return INCOMPLETE;
    struct span block = span_make(bytes.p + skip, end);
    m->used = skip + end;
    bool ok = response_to ? head_read_response(&m->head, block, &head_limits_default, false, &m->fault) &&
                                framing_response(&m->head, span_str(response_to), &m->rule, &m->fault)
                          : head_read_request(&m->head, block, &head_limits_default, &m->fault) &&
                                framing_request(&m->head, &m->rule, &m->fault) &&
                                target_read(&m->target, &m->head, &m->fault);
    return ok ? message_body(m, span_from(bytes, m->used), step) : m->fault.status;
}

/* The same message for whoever reads it next: fields that go on are there once more, in order; nothing else
 * came in but ours. */
static inline bool message_same_fields(const struct head *a, const struct head *b)
{
    size_t j = 0;
    for (size_t i = 0; i < a->n_fields; i++) {
        const struct field *f = &a->fields[i];
        if (header_is_hop_by_hop(a, f->name) || span_ieq(f->name, SPAN("Content-Length")) ||
            span_ieq(f->name, SPAN("Host")) || span_ieq(f->name, SPAN("Via")) ||
            span_ieq(f->name, SPAN("Max-Forwards")))
            continue;
        while (j < b->n_fields &&
               !(span_eq(b->fields[j].name, f->name) && span_eq(b->fields[j].value, f->value)))
            j++;
        if (j++ == b->n_fields)
            return false;
    }
    return true;
}

#endif
