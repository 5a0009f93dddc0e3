/*
 * Heads of requests and responses, in one piece and byte by byte: no crash, the same verdict, and what we
 * write of an accepted one is read again as the same message. The first byte chooses: request, or response to
 * GET, HEAD or CONNECT, strict or lenient.
 */
#include <stdlib.h>

#include "http/page.h"
#include "tests/unit/http_message.h"

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_request(struct span bytes)
{
    struct message m;
    struct message slow;
    unsigned verdict = message_read(&m, bytes, bytes.n + 1, NULL);
    CHECK(message_read(&slow, bytes, 1, NULL) == verdict);
    CHECK(verdict <= INCOMPLETE || m.fault.why);
    if (m.head.method.n) {
        page_wants_html(&m.head);
        header_keeps_alive(&m.head);
    }
    if (verdict == ACCEPTED) {
        CHECK(slow.used == m.used && span_eq(buf_span(&slow.body), buf_span(&m.body)));
        struct header_request how = {.target = m.head.target,
                                     .host = m.target.authority,
                                     .body = m.rule,
                                     .via = SPAN("p"),
                                     .upgrade = true};
        struct buf out = {0};
        struct message again;
        CHECK(header_write_request(&out, &m.head, &how));
        if (m.rule.kind == BODY_CHUNKED)
            CHECK(chunk_end(&out, &m.chunked.trailers));
        else
            buf_add_span(&out, buf_span(&m.body));
        CHECK(message_read(&again, buf_span(&out), 7, NULL) == ACCEPTED);
        CHECK(again.used == out.n && again.rule.kind == m.rule.kind && again.rule.length == m.rule.length);
        CHECK(span_eq(again.head.method, m.head.method) && span_eq(again.head.target, m.head.target));
        CHECK(span_eq(again.target.host, m.target.host) && again.target.port == m.target.port);
        CHECK(message_same_fields(&m.head, &again.head) && header_via_loop(&again.head, SPAN("p")));
        CHECK(!head_field(&again.head, "Proxy-Authorization"));
        message_free(&again);
        buf_free(&out);
    }
    message_free(&m);
    message_free(&slow);
}

static void check_response(struct span bytes, const char *method, bool lenient)
{
    size_t scanned = 0;
    struct head h;
    struct fault fault = {0};
    struct body_rule rule;
    size_t end = head_end(bytes, &scanned);
    if (!end)
        return;
    if (!head_read_response(&h, span_head(bytes, end), &head_limits_default, lenient, &fault)) {
        CHECK(fault.status == 502 && fault.why && !h.fields);
        return;
    }
    if (framing_response(&h, span_str(method), &rule, &fault)) {
        bool no_framing = h.status == 304 || method[0] == 'H';
        struct header_response how = {.body = rule,
                                      .no_framing = no_framing && rule.kind == BODY_NONE,
                                      .via = SPAN("p"),
                                      .upgrade = h.status == 101};
        struct buf out = {0};
        struct head again;
        struct body_rule rule_again;
        CHECK(header_write_response(&out, &h, &how));
        CHECK(head_read_response(&again, buf_span(&out), &head_limits_default, false, &fault));
        CHECK(framing_response(&again, span_str(method), &rule_again, &fault));
        CHECK(rule_again.kind == rule.kind && rule_again.length == rule.length);
        CHECK(again.status == h.status && span_eq(again.reason, h.reason));
        CHECK(message_same_fields(&h, &again) && !head_field(&again, "Proxy-Authenticate"));
        CHECK(head_field_count(&again, "Content-Length") + head_field_count(&again, "Transfer-Encoding") <=
              1);
        head_free(&again);
        buf_free(&out);
    }
    head_free(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const methods[] = {"GET", "HEAD", "CONNECT", "POST"};
    if (!n)
        return 0;
    struct span bytes = span_make((const char *)data + 1, n - 1);
    if (data[0] & 1)
        check_request(bytes);
    else
        check_response(bytes, methods[data[0] >> 1 & 3], data[0] & 8);
    return 0;
}
