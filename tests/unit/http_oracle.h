/*
 * A second opinion from libhttp-parser, which is more forgiving than we are: what we accept it must accept
 * too, and understand alike. It knows a fixed list of methods only.
 */
#ifndef EXEAT_TESTS_HTTP_ORACLE_H
#define EXEAT_TESTS_HTTP_ORACLE_H

#include <http_parser.h>
#include <stdlib.h>

#include "http_message.h"

struct oracle {
    struct buf target;
    struct buf fields; /* NAME ':' VALUE '\n' for each field */
    struct buf body;
    bool in_value;
    size_t value_from; /* of the field under way, in `fields` */
    bool done;
    bool head_done;
};

/* The last value is whole: without white space at its end, as we have it. */
static inline void oracle_end_field(struct oracle *o)
{
    if (!o->in_value)
        return;
    struct span value = span_trim(span_from(buf_span(&o->fields), o->value_from));
    o->fields.n = o->value_from + value.n;
    buf_add(&o->fields, "\n", 1);
    o->in_value = false;
}

static inline int oracle_url(http_parser *p, const char *at, size_t n)
{
    buf_add(&((struct oracle *)p->data)->target, at, n);
    return 0;
}

static inline int oracle_name(http_parser *p, const char *at, size_t n)
{
    struct oracle *o = p->data;
    if (o->head_done)
        return 0;
    oracle_end_field(o);
    buf_add(&o->fields, at, n);
    return 0;
}

static inline int oracle_value(http_parser *p, const char *at, size_t n)
{
    struct oracle *o = p->data;
    if (o->head_done)
        return 0;
    if (!o->in_value) {
        buf_add(&o->fields, ":", 1);
        o->value_from = o->fields.n;
        o->in_value = true;
    }
    buf_add(&o->fields, at, n);
    return 0;
}

static inline int oracle_head(http_parser *p)
{
    struct oracle *o = p->data;
    oracle_end_field(o);
    o->head_done = true;
    return 0;
}

static inline int oracle_body(http_parser *p, const char *at, size_t n)
{
    buf_add(&((struct oracle *)p->data)->body, at, n);
    return 0;
}

static inline int oracle_done(http_parser *p)
{
    ((struct oracle *)p->data)->done = true;
    http_parser_pause(p, 1);
    return 0;
}

static inline void oracle_free(struct oracle *o)
{
    buf_free(&o->target);
    buf_free(&o->fields);
    buf_free(&o->body);
}

/* What we made of the fields, written as the oracle's list. */
static inline void oracle_list(struct buf *out, const struct head *h)
{
    for (size_t i = 0; i < h->n_fields; i++) {
        buf_add_span(out, h->fields[i].name);
        buf_add(out, ":", 1);
        buf_add_span(out, h->fields[i].value);
        buf_add(out, "\n", 1);
    }
}

/* It takes a longer name that begins with "Transfer-Encoding" for the real one, and framing fields in trailers for framing. */
static inline bool oracle_is_confused(const struct message *m)
{
    struct span name = SPAN("Transfer-Encoding");
    for (size_t i = 0; i < m->head.n_fields; i++)
        if (m->head.fields[i].name.n > name.n && span_istarts(m->head.fields[i].name, name))
            return true;
    for (size_t i = 0; i < m->chunked.trailers.n_fields; i++)
        if (span_istarts(m->chunked.trailers.fields[i].name, name) ||
            span_ieq(m->chunked.trailers.fields[i].name, SPAN("Content-Length")))
            return true;
    return false;
}

/* NULL: it agrees that this is the message `m`, or does not know the method. Otherwise what it says. */
static inline const char *oracle_disagrees(const struct message *m, struct span bytes)
{
    http_parser_settings settings;
    http_parser_settings_init(&settings);
    settings.on_url = oracle_url;
    settings.on_header_field = oracle_name;
    settings.on_header_value = oracle_value;
    settings.on_headers_complete = oracle_head;
    settings.on_body = oracle_body;
    settings.on_message_complete = oracle_done;
    struct oracle o = {0};
    http_parser parser;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = &o;
    size_t used = http_parser_execute(&parser, &settings, bytes.p, bytes.n);
    enum http_errno error = HTTP_PARSER_ERRNO(&parser);
    const char *why = NULL;
    struct buf ours = {0};
    oracle_list(&ours, &m->head);
    if (error == HPE_INVALID_METHOD || oracle_is_confused(m))
        why = NULL;
    else if (error != HPE_OK && error != HPE_PAUSED)
        why = http_errno_name(error);
    else if (!o.done)
        why = "not complete";
    else if (!span_eq(span_str(http_method_str(parser.method)), m->head.method))
        why = "another method";
    else if (!span_eq(buf_span(&o.target), m->head.target))
        why = "another target";
    else if (!span_eq(buf_span(&o.fields), buf_span(&ours)))
        why = "other fields";
    else if (!span_eq(buf_span(&o.body), buf_span(&m->body)))
        why = "another body";
    else if (used != m->used && used + 1 != m->used) /* a pause stops on the last LF */
        why = "another end";
    oracle_free(&o);
    buf_free(&ours);
    return why;
}

#endif
