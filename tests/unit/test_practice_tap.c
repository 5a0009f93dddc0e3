/* The tap of exeat practice: what passes is byte for byte what came, whatever it is, and each head that can be told is told, once and in order. Both ends are sockets
   of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/practice_tap.h"
#include "with_loop.h"

static struct buf told; /* "1>GET /a", "1<200", "1 tunnel", "1 odd", each with a blank behind it */

static void head(void *owner, unsigned connection, enum tap_way which, const struct head *h)
{
    (void)owner;
    if (which == TAP_UP)
        buf_addf(&told, "%u>%.*s %.*s ", connection, SPAN_ARG(h->method), SPAN_ARG(h->target));
    else
        buf_addf(&told, "%u<%u ", connection, h->status);
}

static void deaf(void *owner, unsigned connection, enum tap_deaf why)
{
    (void)owner;
    buf_addf(&told, "%u %s ", connection, why == TAP_TUNNEL ? "tunnel" : "odd");
}

static const struct tap_events events = {head, deaf};

struct line {
    struct tap *tap;
    int listener, up, down; /* the proxy's listening socket; the program's end, the proxy's end */
    uint16_t at;
};

static void line_begin(struct line *l)
{
    struct err e;
    uint16_t proxy;
    const struct given given = {.fd = listening_socket(&l->at, 8), .name = "", .address = "the tap"};
    l->listener = listening_socket(&proxy, 8);
    l->tap = tap_new(loop, &given, proxy, &events, NULL, &e);
    assert_non_null(l->tap);
    close(given.fd); /* it was lent */
    l->up = l->down = -1;
    buf_clear(&told);
}

static int waiting(int listener)
{
    struct pollfd one = {.fd = listener, .events = POLLIN};
    return poll(&one, 1, 0) == 1;
}

static void line_open(struct line *l)
{
    l->up = connect_to(l->at);
    until(waiting(l->listener));
    l->down = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(l->down >= 0);
}

static void line_end(struct line *l)
{
    if (l->up >= 0)
        close(l->up);
    if (l->down >= 0)
        close(l->down);
    if (l->listener >= 0)
        close(l->listener);
    tap_free(l->tap);
    buf_free(&told);
}

/* All of it comes out at the other end, as it is; `step` bytes are sent at a time. */
static void pass(int from, int to, struct span bytes, size_t step)
{
    struct buf came = {0};
    for (size_t at = 0; at < bytes.n; at += step) {
        far_send(from, span_head(span_from(bytes, at), step < bytes.n - at ? step : bytes.n - at));
        until((far_take(to, &came), came.n >= (at + step < bytes.n ? at + step : bytes.n)));
    }
    assert_true(span_eq(buf_span(&came), bytes));
    buf_free(&came);
}

/* Messages in turn, and what is told of them. */
static const struct script {
    const char *messages[9]; /* the first letter: '>' from the program, '<' from the proxy */
    const char *told;
} scripts[] = {
    {{">GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "<HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
      ">GET http://a.example/2 HTTP/1.1\r\nHost: a.example\r\n\r\n", "<HTTP/1.1 204 No Content\r\n\r\n"},
     "1>GET http://a.example/ 1<200 1>GET http://a.example/2 1<204 "},
    /* content that looks like heads */
    {{">POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 18\r\n\r\nGET / "
      "HTTP/1.1\r\n\r\n",
      "<HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n13\r\nHTTP/1.1 500 No\r\n\r\n\r\n0\r\nX-T: "
      "1\r\n\r\n",
      ">GET http://a.example/2 HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "<HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",
      ">HEAD http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "<HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
      ">GET http://a.example/3 HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "<HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
     "1>POST http://a.example/ 1<200 1>GET http://a.example/2 1<304 1>HEAD http://a.example/ 1<200 1>GET "
     "http://a.example/3 1<200 "},
    {{">POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: "
      "2\r\n\r\n",
      "<HTTP/1.1 100 Continue\r\n\r\n", ">ab", "<HTTP/1.1 407 No\r\nContent-Length: 1\r\n\r\nx"},
     "1>POST http://a.example/ 1<100 1<407 "},
    {{">CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
      "<HTTP/1.1 407 No\r\nContent-Length: 1\r\n\r\nx",
      ">CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", "<HTTP/1.1 200 OK\r\n\r\n",
      ">GET / HTTP/1.1\r\nHost: inside\r\n\r\n", "<HTTP/1.1 500 Inside\r\n\r\n"},
     "1>CONNECT a.example:443 1<407 1>CONNECT a.example:443 1<200 1 tunnel "},
    {{">GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
      "<HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", ">any"},
     "1>GET http://a.example/ 1<101 1 tunnel "},
    {{">GET http://a.example/ HTTP/1.0\r\n\r\n", "<HTTP/1.0 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"},
     "1>GET http://a.example/ 1<200 "},
    /* what nobody can read */
    {{">\x16\x03\x01 \r\n\r\nGET / HTTP/1.1\r\n\r\n", "<HTTP/1.1 400 Bad\r\n\r\n"}, "1 odd "},
    {{">GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", "<ICY 200 OK\r\n\r\n", ">GET again"},
     "1>GET http://a.example/ 1 odd "},
    {{">POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
     "1>POST http://a.example/ 1 odd "},
    {{">POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\nContent-Length: "
      "2\r\n\r\nzz"},
     "1>POST http://a.example/ 1 odd "},
};

static void play(const struct script *s, size_t step)
{
    struct line l;
    line_begin(&l);
    line_open(&l);
    for (size_t i = 0; s->messages[i]; i++) {
        struct span bytes = span_str(s->messages[i] + 1);
        bool up = s->messages[i][0] == '>';
        pass(up ? l.up : l.down, up ? l.down : l.up, bytes, step ? step : bytes.n);
    }
    assert_string_equal(buf_cstr(&told), s->told);
    line_end(&l);
}

static void test_scripts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        play(&scripts[i], 0);
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        play(&scripts[i], 1);
}

/* A head without an end is passed on and no longer kept. */
static void test_endless_head(void **state)
{
    (void)state;
    struct line l;
    struct buf big = {0};
    buf_add_str(&big, "GET / HTTP/1.1\r\nX: ");
    char *text = mem_alloc(64 * 1024);
    memset(text, 'a', 64 * 1024);
    for (int i = 0; i < 20; i++)
        buf_add(&big, text, 64 * 1024);
    free(text);
    line_begin(&l);
    line_open(&l);
    pass(l.up, l.down, buf_span(&big), 16 * 1024);
    assert_string_equal(buf_cstr(&told), "1 odd ");
    line_end(&l);
    buf_free(&big);
}

static bool is_over(int fd)
{
    struct buf rest = {0};
    bool open = far_take(fd, &rest);
    buf_free(&rest);
    return !open;
}

/* Whoever has said all is still told the rest. */
static void test_half_close(void **state)
{
    (void)state;
    struct line l;
    line_begin(&l);
    line_open(&l);
    pass(l.up, l.down, SPAN("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"), 9);
    shutdown(l.up, SHUT_WR);
    until(is_over(l.down));
    assert_int_equal(tap_open(l.tap), 1);
    pass(l.down, l.up, SPAN("HTTP/1.1 200 OK\r\n\r\nlate"), 7);
    close(l.down);
    l.down = -1;
    until(is_over(l.up));
    until(tap_open(l.tap) == 0);
    line_end(&l);
}

static void test_reset(void **state)
{
    (void)state;
    struct line l;
    const struct linger now = {1, 0};
    line_begin(&l);
    line_open(&l);
    pass(l.up, l.down, SPAN("GET http://a.exa"), 99);
    setsockopt(l.up, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(l.up);
    l.up = -1;
    until(is_over(l.down));
    until(tap_open(l.tap) == 0);
    line_end(&l);
}

static void test_nobody_behind(void **state)
{
    (void)state;
    struct line l;
    line_begin(&l);
    close(l.listener);
    l.listener = -1;
    l.up = connect_to(l.at);
    until(is_over(l.up));
    assert_int_equal(tap_open(l.tap), 0);
    line_end(&l);
}

/* A reader that is slow makes the writer wait: what is kept in between does not grow. */
static void test_slow_reader(void **state)
{
    (void)state;
    struct line l;
    const size_t piece = 64 * 1024, most = (size_t)64 << 20;
    char *bytes = pattern(piece);
    size_t sent = 0, quiet = 0, came = 0;
    struct buf in = {0};
    line_begin(&l);
    line_open(&l);
    pass(l.up, l.down, SPAN("CONNECT a.example:1 HTTP/1.1\r\nHost: a.example:1\r\n\r\n"), 99);
    pass(l.down, l.up, SPAN("HTTP/1.1 200 OK\r\n\r\n"), 99);
    while (quiet < 200 && sent < most) {
        ssize_t n = send(l.up, bytes + sent % piece, piece - sent % piece, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        quiet = n > 0 ? 0 : quiet + 1;
        turn();
    }
    assert_true(sent < most); /* it stopped */
    shutdown(l.up, SHUT_WR);
    until((far_take(l.down, &in), in.n == sent));
    for (; came < sent; came++)
        if (in.p[came] != bytes[came % piece])
            fail_msg("byte %zu of %zu is another", came, sent);
    free(bytes);
    buf_free(&in);
    line_end(&l);
}

static void test_many(void **state)
{
    (void)state;
    struct line l;
    int ups[40], downs[40];
    line_begin(&l);
    for (int i = 0; i < 40; i++) {
        line_open(&l);
        ups[i] = l.up;
        downs[i] = l.down;
    }
    assert_int_equal(tap_open(l.tap), 40);
    for (int i = 40; i-- > 0;)
        pass(ups[i], downs[i], SPAN("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"), 99);
    assert_true(span_starts(buf_span(&told), SPAN("40>GET http://a.example/ 39>GET")));
    for (int i = 0; i < 40; i++) {
        close(ups[i]);
        close(downs[i]);
    }
    until(tap_open(l.tap) == 0);
    l.up = l.down = -1;
    line_end(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_loop(test_scripts),     with_loop(test_byte_by_byte), with_loop(test_endless_head),
        with_loop(test_half_close),  with_loop(test_reset),        with_loop(test_nobody_behind),
        with_loop(test_slow_reader), with_loop(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
