/*
 * The practice page's server: reads one head, answers, and hangs up.
 */
#include "cli/practice_page.h"

#include <stdlib.h>

#include "base/list.h"
#include "http/head.h"

#define HEAD_MAX         ((size_t)64 * 1024)
#define PATIENCE_SECONDS 300

const char practice_page_text[] = "You are outside: this page came through a proxy that asks who you are.\n";

struct visitor {
    struct list link;
    struct stream *stream;
    struct buf head;
    size_t scanned;
};

struct page {
    struct listener *listener;
    struct list visitors;
};

static void visitor_free(struct visitor *v)
{
    if (v->stream)
        stream_close(v->stream);
    list_remove(&v->link);
    buf_free(&v->head);
    free(v);
}

static void answer(struct visitor *v)
{
    struct buf text = {0};
    buf_addf(
        &text,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
        strlen(practice_page_text), practice_page_text);
    stream_write(v->stream, buf_span(&text));
    buf_free(&text);
    stream_linger(v->stream, PATIENCE_SECONDS);
    v->stream = NULL;
    visitor_free(v);
}

static void on_data(void *owner, struct span bytes)
{
    struct visitor *v = owner;
    buf_add_span(&v->head, bytes);
    if (head_end(buf_span(&v->head), &v->scanned))
        answer(v);
    else if (v->head.n > HEAD_MAX)
        visitor_free(v);
}

static void on_eof(void *owner)
{
    visitor_free(owner);
}

static void on_drained(void *owner)
{
    (void)owner;
}

static void on_failed(void *owner, const struct err *why)
{
    (void)why;
    visitor_free(owner);
}

static void accepted(void *owner, struct stream *s)
{
    static const struct stream_events events = {on_data, on_eof, on_drained, on_failed};
    struct page *p = owner;
    struct visitor *v = mem_zero(sizeof *v);
    v->stream = s;
    list_push_back(&p->visitors, &v->link);
    stream_own(s, &events, v);
    stream_read(s);
}

struct page *page_serve(struct loop *loop, const struct given *at, struct err *e)
{
    struct page *p = mem_zero(sizeof *p);
    list_init(&p->visitors);
    p->listener = listen_given(loop, at, accepted, p, e);
    if (p->listener)
        return p;
    free(p);
    return NULL;
}

void page_free(struct page *p)
{
    if (!p)
        return;
    listener_close(p->listener);
    while (!list_empty(&p->visitors))
        visitor_free(list_entry(p->visitors.next, struct visitor, link));
    free(p);
}
