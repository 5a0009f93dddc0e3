/* Fields on their way: each row is a message, what we are told to do, and the exact bytes that go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/header.h"

/* Written as C strings; spans are made below. */
static struct span dropped[] = {{"User-Agent", 10}, {"a", 1}};
static struct field added[] = {{{"User-Agent", 10}, {"ours", 4}}, {{"X-Ours", 6}, {"yes", 3}}};
static const struct header_changes changes = {dropped, 2, added, 2};

static const struct {
    const char *name;
    const char *in;
    struct header_request how;
    const char *out;
} requests[] = {
#define T .target = {"http://a/", 9}, .host = {"a", 1}
    {"order, case and odd fields stay; Host goes first and is rewritten",
     "GET http://a/ HTTP/1.1\r\nuSER-aGENT: x\r\nHost: evil\r\nX:\r\nB: 1\r\nA: 2\r\nB: 3\r\n\r\n",
     {T},
     "GET http://a/ HTTP/1.1\r\nHost: a\r\nuSER-aGENT: x\r\nX: \r\nB: 1\r\nA: 2\r\nB: 3\r\n"
     "Connection: keep-alive\r\n\r\n"},
    {"hop-by-hop fields end here",
     "GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: X-Mine , keep-alive\r\nconnection: "
     "x-other\r\nKeep-Alive: 5\r\n"
     "Proxy-Connection: keep-alive\r\nTE: gzip\r\nUpgrade: h2c\r\nProxy-Authorization: Basic eDp5\r\nX-Mine: "
     "1\r\n"
     "X-OTHER: 2\r\nProxy-Authenticate: x\r\nTrailer: C\r\nExpect: 100-continue\r\nX-Minette: 3\r\n\r\n",
     {T},
     "GET http://a/ HTTP/1.1\r\nHost: a\r\nTrailer: C\r\nExpect: 100-continue\r\nX-Minette: 3\r\n"
     "Connection: keep-alive\r\n\r\n"},
    {"Connection cannot strip what a message means",
     "PUT http://a/ HTTP/1.1\r\nHost: a\r\nConnection: host, content-length, authorization, cookie, "
     "content-type, via\r\n"
     "Authorization: b\r\nCookie: c\r\nContent-Type: d\r\nContent-Length: 3\r\nVia: 1.1 z\r\n\r\n",
     {T, .body = {BODY_LENGTH, 3}},
     "PUT http://a/ HTTP/1.1\r\nHost: a\r\nAuthorization: b\r\nCookie: c\r\nContent-Type: d\r\nVia: 1.1 z\r\n"
     "Content-Length: 3\r\nConnection: keep-alive\r\n\r\n"},
    {"framing is written from the rule",
     "PUT http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
     {T, .body = {BODY_CHUNKED, 0}},
     "PUT http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"},
    {"no content, said aloud",
     "POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
     {T, .zero_length = true, .close = true},
     "POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
    {"a great length",
     "POST http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
     {T, .body = {BODY_LENGTH, INT64_MAX}},
     "POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\nConnection: "
     "keep-alive\r\n\r\n"},
    {"to a proxy, with our authorization in the place of the client's",
     "CONNECT a:1 HTTP/1.0\r\nProxy-Authorization: Basic eDp5\r\nUser-Agent: u\r\nTE: trailers\r\n\r\n",
     {.target = {"a:1", 3},
      .host = {"a:1", 3},
      .authorization = {"NTLM TlRM", 9},
      .to_proxy = true,
      .via = {"p", 1}},
     "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nUser-Agent: u\r\nVia: 1.0 p\r\nProxy-Authorization: NTLM TlRM\r\n"
     "Connection: keep-alive\r\nProxy-Connection: keep-alive\r\n\r\n"},
    {"the client's own authorization, where that is wanted",
     "GET http://a/ HTTP/1.1\r\nHost: a\r\nproxy-authorization: Basic eDp5\r\n\r\n",
     {T, .keep_client_authorization = true, .to_proxy = true, .close = true},
     "GET http://a/ HTTP/1.1\r\nHost: a\r\nproxy-authorization: Basic eDp5\r\nConnection: close\r\n"
     "Proxy-Connection: close\r\n\r\n"},
    {"Via is appended to the last of its fields",
     "GET http://a/ HTTP/1.1\r\nHost: a\r\nVia: 1.0 x\r\nA: b\r\nvia: 1.1 y\r\nC: d\r\n\r\n",
     {T, .via = {"p", 1}},
     "GET http://a/ HTTP/1.1\r\nHost: a\r\nVia: 1.0 x\r\nA: b\r\nvia: 1.1 y, 1.1 p\r\nC: d\r\nConnection: "
     "keep-alive\r\n\r\n"},
    {"an empty Via",
     "GET http://a/ HTTP/1.1\r\nHost: a\r\nVia:\r\n\r\n",
     {T, .via = {"p", 1}},
     "GET http://a/ HTTP/1.1\r\nHost: a\r\nVia: 1.1 p\r\nConnection: keep-alive\r\n\r\n"},
    {"a wanted upgrade",
     "GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: "
     "websocket\r\nHTTP2-Settings: x\r\n"
     "Sec-WebSocket-Key: k\r\n\r\n",
     {T, .upgrade = true},
     "GET http://a/ HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: k\r\nUpgrade: websocket\r\nConnection: "
     "keep-alive, Upgrade\r\n\r\n"},
    {"upgrade allowed, not asked for",
     "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
     {T, .upgrade = true},
     "GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"},
    {"the client takes trailers",
     "GET http://a/ HTTP/1.1\r\nHost: a\r\nTE: deflate;q=0.5, trailers\r\n\r\n",
     {T},
     "GET http://a/ HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: keep-alive, TE\r\n\r\n"},
    {"Max-Forwards of TRACE",
     "TRACE http://a/ HTTP/1.1\r\nHost: a\r\nmax-forwards: 10\r\n\r\n",
     {T},
     "TRACE http://a/ HTTP/1.1\r\nHost: a\r\nmax-forwards: 9\r\nConnection: keep-alive\r\n\r\n"},
    {"Max-Forwards at its end",
     "OPTIONS http://a/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n",
     {T},
     "OPTIONS http://a/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\nConnection: keep-alive\r\n\r\n"},
    {"Max-Forwards of GET means nothing",
     "GET http://a/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: 10\r\n\r\n",
     {T},
     "GET http://a/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: 10\r\nConnection: keep-alive\r\n\r\n"},
    {"changes: what is dropped, and what Connection cannot take away",
     "GET http://a/ HTTP/1.1\r\nHost: a\r\nuser-agent: x\r\nA: 1\r\nA: 2\r\nB: 3\r\nConnection: X-Ours, "
     "b\r\nX-Ours: "
     "no\r\n\r\n",
     {T, .changes = &changes},
     "GET http://a/ HTTP/1.1\r\nHost: a\r\nUser-Agent: ours\r\nX-Ours: yes\r\nConnection: "
     "keep-alive\r\n\r\n"},
    {"query without path",
     "GET http://a?x HTTP/1.1\r\nHost: a\r\n\r\n",
     {.target = {"?x", 2}, .host = {"a", 1}},
     "GET /?x HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"},
    {"HTTP/1.0 goes up as ours",
     "GET http://a/ HTTP/1.0\r\n\r\n",
     {T},
     "GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"},
#undef T
};

static void test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct head h;
        struct fault fault;
        if (!head_read_request(&h, span_str(requests[i].in), &head_limits_default, &fault))
            fail_msg("%s: %s", requests[i].name, fault.why);
        struct buf out = {0};
        buf_add_str(&out, "before");
        assert_true(header_write_request(&out, &h, &requests[i].how));
        if (strcmp(buf_cstr(&out) + 6, requests[i].out) != 0)
            fail_msg("%s:\n%s", requests[i].name, buf_cstr(&out) + 6);
        /* With any ceiling below, nothing is added. */
        size_t whole = out.n;
        for (size_t max = 1; max < whole; max++) {
            struct buf small;
            buf_init(&small, max);
            bool begun = buf_add_str(&small, "before");
            size_t n = small.n;
            assert_false(begun && header_write_request(&small, &h, &requests[i].how));
            assert_int_equal(small.n, n);
            buf_free(&small);
        }
        buf_free(&out);
        head_free(&h);
    }
}

static const struct {
    const char *name;
    const char *in;
    struct header_response how;
    const char *out;
} responses[] = {
    {"fields stay, framing is ours",
     "HTTP/1.0 200 Fine\r\nX: y\r\ncontent-length: 5\r\nConnection: keep-alive, z\r\nZ: 1\r\nKeep-Alive: "
     "5\r\nset-cookie: a\r\n"
     "Set-Cookie: b\r\n\r\n",
     {.body = {BODY_LENGTH, 5}},
     "HTTP/1.1 200 Fine\r\nX: y\r\nset-cookie: a\r\nSet-Cookie: b\r\nContent-Length: 5\r\n\r\n"},
    {"chunks",
     "HTTP/1.1 200 \r\nTrailer: a\r\nTransfer-Encoding: chunked\r\n\r\n",
     {.body = {BODY_CHUNKED, 0}, .via = {"p", 1}, .keep_alive = true},
     "HTTP/1.1 200 \r\nTrailer: a\r\nVia: 1.1 p\r\nTransfer-Encoding: chunked\r\nConnection: "
     "keep-alive\r\n\r\n"},
    {"until the connection closes",
     "HTTP/1.1 200 OK\r\n\r\n",
     {.body = {BODY_CLOSE, 0}, .keep_alive = true},
     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"},
    {"our close",
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
     {.body = {BODY_LENGTH, 0}, .close = true},
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
    {"HEAD keeps the length",
     "HTTP/1.1 200 OK\r\nContent-LENGTH: 05\r\n\r\n",
     {.no_framing = true},
     "HTTP/1.1 200 OK\r\nContent-LENGTH: 05\r\n\r\n"},
    {"HEAD without a length",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     {.no_framing = true},
     "HTTP/1.1 200 OK\r\n\r\n"},
    {"HEAD with a length that is none",
     "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
     {.no_framing = true},
     "HTTP/1.1 200 OK\r\n\r\n"},
    {"HEAD with two lengths",
     "HTTP/1.1 304 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
     {.no_framing = true},
     "HTTP/1.1 304 OK\r\n\r\n"},
    {"HEAD with both",
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
     {.no_framing = true},
     "HTTP/1.1 200 OK\r\n\r\n"},
    {"204 never has a length",
     "HTTP/1.1 204 OK\r\nContent-Length: 0\r\n\r\n",
     {.no_framing = true},
     "HTTP/1.1 204 OK\r\n\r\n"},
    {"1xx never has a length",
     "HTTP/1.1 103 Go\r\nContent-Length: 0\r\n\r\n",
     {.no_framing = true},
     "HTTP/1.1 103 Go\r\n\r\n"},
    {"what opens a tunnel never has a length",
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
     {.body = {BODY_TUNNEL, 0}, .no_framing = true},
     "HTTP/1.1 200 OK\r\n\r\n"},
    {"without no_framing no length is passed on",
     "HTTP/1.1 304 OK\r\nContent-Length: 5\r\n\r\n",
     {.body = {BODY_NONE, 0}},
     "HTTP/1.1 304 OK\r\n\r\n"},
    {"2xx to CONNECT has no framing",
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n",
     {.body = {BODY_TUNNEL, 0}},
     "HTTP/1.1 200 OK\r\nX: y\r\n\r\n"},
    {"challenges of the proxy end here, those of the origin do not",
     "HTTP/1.1 401 No\r\nProxy-Authenticate: NTLM\r\nProxy-Authentication-Info: x\r\nWWW-Authenticate: "
     "NTLM\r\n"
     "Connection: WWW-Authenticate, Proxy-Support\r\nProxy-Support: Session-Based-Authentication\r\n\r\n",
     {.body = {BODY_LENGTH, 0}},
     "HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n"},
    {"challenges passed on by consent",
     "HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\nproxy-authenticate: Basic\r\n\r\n",
     {.body = {BODY_LENGTH, 0}, .keep_challenge = true},
     "HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\nproxy-authenticate: Basic\r\nContent-Length: 0\r\n\r\n"},
    {"one connection, one client",
     "HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\n\r\n",
     {.body = {BODY_LENGTH, 0}, .session_based = true, .keep_alive = true},
     "HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\nProxy-Support: "
     "Session-Based-Authentication\r\n"
     "Connection: keep-alive, Proxy-Support\r\n\r\n"},
    {"101",
     "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
     {.body = {BODY_TUNNEL, 0}, .upgrade = true},
     "HTTP/1.1 101 Go\r\nSec-WebSocket-Accept: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"},
    {"100",
     "HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n",
     {.body = {BODY_NONE, 0}},
     "HTTP/1.1 100 Continue\r\n\r\n"},
    {"folded value",
     "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
     {.body = {BODY_LENGTH, 0}},
     "HTTP/1.1 200 OK\r\nX: a   b\r\nContent-Length: 0\r\n\r\n"},
};

static void test_responses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
        struct head h;
        struct fault fault;
        if (!head_read_response(&h, span_str(responses[i].in), &head_limits_default, false, &fault))
            fail_msg("%s: %s", responses[i].name, fault.why);
        struct buf out = {0};
        assert_true(header_write_response(&out, &h, &responses[i].how));
        if (strcmp(buf_cstr(&out), responses[i].out) != 0)
            fail_msg("%s:\n%s", responses[i].name, buf_cstr(&out));
        for (size_t max = 1; max < out.n; max++) {
            struct buf small;
            buf_init(&small, max);
            assert_false(header_write_response(&small, &h, &responses[i].how));
            assert_int_equal(small.n, 0);
            buf_free(&small);
        }
        buf_free(&out);
        head_free(&h);
    }
}

/* `fields` behind a status line of HTTP/1.`minor`. */
static void read_fields(struct head *h, unsigned minor, const char *fields)
{
    struct buf b = {0};
    struct fault fault;
    buf_addf(&b, "HTTP/1.%u 200 OK\r\n%s\r\n", minor, fields);
    assert_true(head_read_response(h, buf_span(&b), &head_limits_default, false, &fault));
    buf_free(&b);
}

static void test_keeps_alive(void **state)
{
    (void)state;
    static const struct {
        unsigned minor;
        const char *fields;
        bool keeps;
    } cases[] = {
        {1, "", true},
        {0, "", false},
        {1, "Connection: close\r\n", false},
        {1, "Connection: x\r\nConnection: y, CLOSE\r\n", false},
        {1, "Connection: closed\r\n", true},
        {0, "Connection: Keep-Alive\r\n", true},
        {0, "Proxy-Connection: keep-alive\r\n", true},
        {1, "Proxy-Connection: close\r\n", false},
        {1, "Connection: keep-alive\r\nProxy-Connection: close\r\n", false},
        {0, "Connection: close\r\nProxy-Connection: keep-alive\r\n", false},
        {0, "Keep-Alive: timeout=5\r\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct head h;
        read_fields(&h, cases[i].minor, cases[i].fields);
        if (header_keeps_alive(&h) != cases[i].keeps)
            fail_msg("HTTP/1.%u %s", cases[i].minor, cases[i].fields);
        head_free(&h);
    }
}

static void test_via_loop(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        bool loop;
    } cases[] = {
        {"", false},
        {"Via: 1.1 other\r\n", false},
        {"Via: 1.1 me\r\n", true},
        {"Via: HTTP/1.1 other (me), 1.0 ME (a comment)\r\n", true},
        {"Via: 1.1 other\r\nvia:1.1  me\r\n", true},
        {"Via: 1.1 \"open, 1.1 me\r\n", true},
        {"Via: 1.1 other (open, 1.1 me\r\n", true},
        {"Via: 1.1 me2, 1.1 am\r\n", false},
        {"X: 1.1 me\r\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct head h;
        read_fields(&h, 1, cases[i].fields);
        if (header_via_loop(&h, SPAN("me")) != cases[i].loop)
            fail_msg("%s", cases[i].fields);
        head_free(&h);
    }
}

static void test_hop_by_hop(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool hop_by_hop;
    } cases[] = {
        {"connection", true}, {"KEEP-ALIVE", true},      {"TE", true},        {"Upgrade", true},
        {"X-Named", true},    {"x-named-not", false},    {"Trailer", false},  {"Transfer-Encoding", true},
        {"Host", false},      {"Content-Length", false}, {"Cookie", false},   {"Proxy-Authorization", true},
        {"Accept", false},    {"Authorization", false},  {"Proxyfoo", false}, {"Proxy-Authenticate", true},
    };
    struct head h;
    read_fields(&h, 1, "Connection: x-named, host, cookie, content-length, authorization, trailer\r\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (header_is_hop_by_hop(&h, span_str(cases[i].name)) != cases[i].hop_by_hop)
            fail_msg("%s", cases[i].name);
    head_free(&h);
}

static void test_max_forwards(void **state)
{
    (void)state;
    static const struct {
        const char *method, *value;
        int expected; /* -1: none */
    } cases[] = {
        {"TRACE", "0", 0}, {"OPTIONS", "7", 7}, {"GET", "0", -1}, {"TRACE", "x", -1}, {"TRACE", "-1", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = {0};
        struct head h;
        struct fault fault;
        uint64_t value = 99;
        buf_addf(&b, "%s http://a/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: %s\r\n\r\n", cases[i].method,
                 cases[i].value);
        assert_true(head_read_request(&h, buf_span(&b), &head_limits_default, &fault));
        assert_int_equal(header_max_forwards(&h, &value) ? (int)value : -1, cases[i].expected);
        head_free(&h);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),    cmocka_unit_test(test_responses),
        cmocka_unit_test(test_keeps_alive), cmocka_unit_test(test_via_loop),
        cmocka_unit_test(test_hop_by_hop),  cmocka_unit_test(test_max_forwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
