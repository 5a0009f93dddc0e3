/* An answer's body on its way down: which framing a client gets, every framing into every other, cut anywhere; ends and breaks; what comes
   behind the end; a client that is slow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/download.h"
#include "with_loop.h"

#define MUCH ((size_t)3 << 20)

static struct download down;
static struct ear client, proxy;
static int far_client, far_proxy;
static struct buf got;

static void begin(struct body_rule rule, unsigned client_minor)
{
    int fds[2];
    joined(OVER_TCP, fds);
    far_client = fds[1];
    ear_begin(&client, stream_from_fd(loop, fds[0]));
    joined(OVER_TCP, fds);
    far_proxy = fds[1];
    ear_begin(&proxy, stream_from_fd(loop, fds[0]));
    download_start(&down, rule, download_framing(rule, client_minor), proxy.s, client.s);
}

static void end(void)
{
    download_free(&down);
    ear_end(&client);
    ear_end(&proxy);
    close(far_client);
    close(far_proxy);
    buf_free(&got);
}

static void arrived(struct span expected)
{
    until(!far_take(far_client, &got) || got.n >= expected.n);
    turns(3);
    far_take(far_client, &got);
    if (!span_eq(buf_span(&got), expected))
        fail_msg("%zu bytes arrived: %.*s", got.n, got.n < 400 ? (int)got.n : 400, got.p);
    buf_clear(&got);
}

static void test_framings(void **state)
{
    (void)state;
    static const struct {
        enum body_kind from;
        unsigned minor;
        enum body_kind to;
    } cases[] = {
        {BODY_NONE, 1, BODY_NONE},     {BODY_NONE, 0, BODY_NONE},       {BODY_LENGTH, 1, BODY_LENGTH},
        {BODY_LENGTH, 0, BODY_LENGTH}, {BODY_CHUNKED, 1, BODY_CHUNKED}, {BODY_CHUNKED, 0, BODY_CLOSE},
        {BODY_CLOSE, 1, BODY_CHUNKED}, {BODY_CLOSE, 0, BODY_CLOSE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct body_rule rule = download_framing((struct body_rule){cases[i].from, 7}, cases[i].minor);
        assert_int_equal(rule.kind, cases[i].to);
        if (rule.kind == BODY_LENGTH)
            assert_int_equal(rule.length, 7);
    }
}

static const struct {
    struct body_rule rule;
    unsigned minor;
    const char *bytes;
    bool eof; /* then the connection ends */
    enum download_state state;
    bool surplus;
    const char *arrives; /* when it comes in one piece */
    const char *content;
} cases[] = {
    {{BODY_NONE, 0}, 1, "", false, DOWNLOAD_WHOLE, false, "", ""},
    {{BODY_NONE, 0}, 1, "HTTP", false, DOWNLOAD_WHOLE, true, "", ""},
    {{BODY_LENGTH, 0}, 1, "", true, DOWNLOAD_WHOLE, false, "", ""},
    {{BODY_LENGTH, 5}, 1, "hello", false, DOWNLOAD_WHOLE, false, "hello", "hello"},
    {{BODY_LENGTH, 5}, 0, "hello", true, DOWNLOAD_WHOLE, false, "hello", "hello"},
    {{BODY_LENGTH, 5}, 1, "helloHTTP", false, DOWNLOAD_WHOLE, true, "hello", "hello"},
    {{BODY_LENGTH, 9}, 1, "hello", false, DOWNLOAD_GOING, false, "hello", "hello"},
    {{BODY_LENGTH, 9}, 1, "hello", true, DOWNLOAD_CUT, false, "hello", "hello"},
    {{BODY_CHUNKED, 0},
     1,
     "5;x\r\nhello\r\n0\r\nDigest: d\r\n\r\n",
     false,
     DOWNLOAD_WHOLE,
     false,
     "5\r\nhello\r\n0\r\nDigest: d\r\n\r\n",
     "hello"},
    {{BODY_CHUNKED, 0},
     1,
     "5\r\nhello\r\n0\r\n\r\nHTTP",
     false,
     DOWNLOAD_WHOLE,
     true,
     "5\r\nhello\r\n0\r\n\r\n",
     "hello"},
    {{BODY_CHUNKED, 0}, 1, "5\r\nhello\r\n", true, DOWNLOAD_CUT, false, "5\r\nhello\r\n", "hello"},
    {{BODY_CHUNKED, 0}, 1, "5\r\nhello\r\n0\r\n", true, DOWNLOAD_CUT, false, "5\r\nhello\r\n", "hello"},
    {{BODY_CHUNKED, 0}, 1, "5\r\nhello\r\nx\r\n", false, DOWNLOAD_CUT, true, "5\r\nhello\r\n", "hello"},
    {{BODY_CHUNKED, 0},
     0,
     "5\r\nhello\r\n0\r\nDigest: d\r\n\r\n",
     false,
     DOWNLOAD_WHOLE,
     false,
     "hello",
     "hello"},
    {{BODY_CHUNKED, 0}, 0, "5\r\nhello\r\n", true, DOWNLOAD_CUT, false, "hello", "hello"},
    {{BODY_CLOSE, 0}, 1, "hello", false, DOWNLOAD_GOING, false, "5\r\nhello\r\n", "hello"},
    {{BODY_CLOSE, 0}, 1, "hello", true, DOWNLOAD_WHOLE, false, "5\r\nhello\r\n0\r\n\r\n", "hello"},
    {{BODY_CLOSE, 0}, 1, "", true, DOWNLOAD_WHOLE, false, "0\r\n\r\n", ""},
    {{BODY_CLOSE, 0}, 0, "hello", true, DOWNLOAD_WHOLE, false, "hello", "hello"},
};

static void expect(size_t i, struct span arrives)
{
    if (down.state != cases[i].state || down.content != strlen(cases[i].content))
        fail_msg("case %zu: state %d, %llu bytes", i, (int)down.state, (unsigned long long)down.content);
    arrived(arrives);
    assert_int_equal(stream_backlog(client.s), 0);
}

static void test_in_one_piece(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(cases[i].rule, cases[i].minor);
        download_take(&down, span_str(cases[i].bytes));
        if (down.surplus != cases[i].surplus)
            fail_msg("case %zu: surplus %d", i, down.surplus);
        if (cases[i].eof)
            download_eof(&down);
        expect(i, span_str(cases[i].arrives));
        end();
    }
}

/* Cut in two, the client sees the same content; its chunks may be others. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t cut = 0; cut <= strlen(cases[i].bytes); cut++) {
            bool chunks = download_framing(cases[i].rule, cases[i].minor).kind == BODY_CHUNKED;
            begin(cases[i].rule, cases[i].minor);
            download_take(&down, span_head(span_str(cases[i].bytes), cut));
            if (down.state == DOWNLOAD_GOING || cases[i].surplus)
                download_take(&down, span_from(span_str(cases[i].bytes), cut));
            if (cases[i].eof)
                download_eof(&down);
            if (down.state != cases[i].state || down.content != strlen(cases[i].content))
                fail_msg("case %zu cut at %zu: state %d", i, cut, (int)down.state);
            if (!chunks) {
                arrived(span_str(cases[i].content));
            } else if (down.state == DOWNLOAD_WHOLE) {
                struct body b;
                struct buf all = {0};
                struct span in, data;
                until(far_take(far_client, &got) && got.n >= 5 &&
                      memcmp(got.p + got.n - 4, "\r\n\r\n", 4) == 0);
                in = buf_span(&got);
                body_start(&b, (struct body_rule){BODY_CHUNKED, 0});
                while (body_read(&b, &in, &data) == CHUNKED_DATA)
                    buf_add_span(&all, data);
                assert_true(body_ended(&b) && in.n == 0);
                assert_true(span_eq(buf_span(&all), span_str(cases[i].content)));
                body_free(&b);
                buf_free(&all);
            }
            end();
        }
    }
}

/* After the end nothing changes any more. */
static void test_after_the_end(void **state)
{
    (void)state;
    begin((struct body_rule){BODY_LENGTH, 5}, 1);
    download_take(&down, SPAN("hello"));
    download_eof(&down);
    assert_int_equal(down.state, DOWNLOAD_WHOLE);
    assert_false(down.surplus);
    download_take(&down, SPAN("unasked"));
    assert_true(down.surplus);
    download_resume(&down);
    assert_false(stream_reading(proxy.s));
    arrived(SPAN("hello"));
    end();
    begin((struct body_rule){BODY_CLOSE, 0}, 1);
    download_eof(&down);
    download_eof(&down);
    arrived(SPAN("0\r\n\r\n")); /* once */
    end();
}

/* The client takes nothing: we stop reading from the proxy, and go on when it has taken its backlog. */
static void test_a_slow_client(void **state)
{
    (void)state;
    char *bytes = pattern(MUCH);
    begin((struct body_rule){BODY_LENGTH, MUCH}, 1);
    stream_read(proxy.s);
    download_take(&down, span_make(bytes, 1000));
    assert_true(stream_reading(proxy.s)); /* it went out at once */
    download_take(&down, span_make(bytes + 1000, MUCH / 2 - 1000));
    assert_true(stream_backlog(client.s) > 0);
    assert_false(stream_reading(proxy.s));
    until(far_take(far_client, &got) && client.draineds);
    assert_false(stream_reading(proxy.s));
    download_resume(&down);
    assert_true(stream_reading(proxy.s));
    download_take(&down, span_make(bytes + MUCH / 2, MUCH / 2));
    assert_int_equal(down.state, DOWNLOAD_WHOLE);
    until(far_take(far_client, &got) && got.n >= MUCH);
    assert_int_equal(got.n, MUCH);
    assert_memory_equal(got.p, bytes, MUCH);
    end();
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_loop(test_framings),      with_loop(test_in_one_piece),  with_loop(test_cut_anywhere),
        with_loop(test_after_the_end), with_loop(test_a_slow_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
