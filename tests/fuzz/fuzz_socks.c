/*
 * SOCKS handshakes in one piece and byte by byte: the same end, the same words to the client, the same host, and never more than one message kept
 * waiting. A host that comes out goes into a request head: it must come back from there as it was.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "http/target.h"
#include "relay/socks_read.h"

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct outcome {
    enum socks_step end;
    struct buf said, host;
    uint16_t port;
    size_t used;
};

static void check_request(const struct socks_message *m)
{
    struct buf text = {0};
    struct head head;
    struct fault fault;
    struct target target;
    CHECK(m->host.n > 0 && m->port > 0);
    buf_add_str(&text, "CONNECT ");
    target_add_authority(&text, m->host, m->port);
    buf_add_str(&text, " HTTP/1.1\r\nHost: ");
    target_add_authority(&text, m->host, m->port);
    buf_add_str(&text, "\r\n\r\n");
    CHECK(head_read_request(&head, buf_span(&text), &head_limits_default, &fault));
    CHECK(head.n_fields == 1 && target_read(&target, &head, &fault));
    CHECK(span_eq(target.host, m->host) && target.port == m->port);
    head_free(&head);
    buf_free(&text);
}

static void run(struct outcome *o, struct span in, size_t step)
{
    struct socks_reader reader = {0};
    struct socks_message m;
    size_t offered = 0;
    *o = (struct outcome){.end = SOCKS_MORE};
    while (o->end == SOCKS_MORE && offered < in.n) {
        offered += step < in.n - offered ? step : in.n - offered;
        do {
            struct span left = span_make(in.p + o->used, offered - o->used);
            size_t before = left.n;
            o->end = socks_read(&reader, &left, &m);
            CHECK(o->end != SOCKS_MORE || (left.n == before && before < SOCKS_MESSAGE_MOST));
            CHECK(o->end != SOCKS_SAY || left.n < before);
            o->used += before - left.n;
            buf_add(&o->said, m.say, m.n_say);
        } while (o->end == SOCKS_SAY);
    }
    CHECK(o->end != SOCKS_BAD || *m.why);
    if (o->end == SOCKS_CONNECT) {
        check_request(&m);
        buf_add_span(&o->host, m.host);
        o->port = m.port;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct outcome whole, slow;
    struct span in = span_make((const char *)data, n);
    run(&whole, in, n + 1);
    run(&slow, in, 1);
    CHECK(whole.end == slow.end && whole.port == slow.port);
    CHECK(span_eq(buf_span(&whole.said), buf_span(&slow.said)));
    CHECK(span_eq(buf_span(&whole.host), buf_span(&slow.host)));
    CHECK(whole.end != SOCKS_CONNECT || whole.used == slow.used);
    buf_free(&whole.said);
    buf_free(&whole.host);
    buf_free(&slow.said);
    buf_free(&slow.host);
    return 0;
}
