/* SOCKS handshakes: what is said and what comes out, the same however the bytes are cut; and hostile lengths, host names and versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "relay/socks_read.h"

#define NO          "\5\1\0"
#define SAID_NO     "\5\0"
#define TEXT50      "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
#define TEXT250     TEXT50 TEXT50 TEXT50 TEXT50 TEXT50
#define FAILS(code) "\5" code "\0\1\0\0\0\0\0\0"
#define REJECTS     "\0\x5B\0\0\0\0\0\0"

static const struct {
    struct span in, said;
    enum socks_step end;
    const char *host; /* or for SOCKS_BAD a part of why */
    unsigned port;
    struct span rest;
} cases[] = {
#define SAYS(text) SPAN(text)
    /* SOCKS 5, its addresses */
    {SPAN(NO "\5\1\0\3\11a.example\1\273"), SAYS(SAID_NO), SOCKS_CONNECT, "a.example", 443, {0}},
    {SPAN(NO "\5\1\0\1\300\0\2\1\0\26"), SAYS(SAID_NO), SOCKS_CONNECT, "192.0.2.1", 22, {0}},
    {SPAN(NO "\5\1\0\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\377\377"),
     SAYS(SAID_NO),
     SOCKS_CONNECT,
     "2001:db8::1",
     65535,
     {0}},
    {SPAN(NO "\5\1\0\3\3::1\0\1"), SAYS(SAID_NO), SOCKS_CONNECT, "::1", 1, {0}},
    {SPAN(NO "\5\1\0\3\5[::1]\0\1"), SAYS(SAID_NO), SOCKS_CONNECT, "::1", 1, {0}},
    {SPAN(NO "\5\1\0\3\11"
             "192.0.2.1\0\1"),
     SAYS(SAID_NO),
     SOCKS_CONNECT,
     "192.0.2.1",
     1,
     {0}},
    {SPAN(NO "\5\1\0\3\5a_b.-\0\1"), SAYS(SAID_NO), SOCKS_CONNECT, "a_b.-", 1, {0}},
    {SPAN(NO "\5\1\0\3\377" TEXT250 "abcde\0\1"), SAYS(SAID_NO), SOCKS_CONNECT, TEXT250 "abcde", 1, {0}},
    /* what comes behind the request is the tunnel's */
    {SPAN(NO "\5\1\0\3\1a\0\1\26\3\1"), SAYS(SAID_NO), SOCKS_CONNECT, "a", 1, SPAN("\26\3\1")},
    {SPAN("\4\1\0\1\300\0\2\1\0SSH-2.0"), SAYS(""), SOCKS_CONNECT, "192.0.2.1", 1, SPAN("SSH-2.0")},
    /* methods */
    {SPAN("\5\3\1\2\0\5\1\0\3\1a\0\1"), SAYS(SAID_NO), SOCKS_CONNECT, "a", 1, {0}},
    {SPAN("\5\2\1\2\1\5alice\6secret\5\1\0\3\1a\0\1"), SAYS("\5\2\1\0"), SOCKS_CONNECT, "a", 1, {0}},
    {SPAN("\5\1\2\1\0\0\5\1\0\3\1a\0\1"), SAYS("\5\2\1\0"), SOCKS_CONNECT, "a", 1, {0}},
    {SPAN("\5\1\2\1\377" TEXT250 "abcde\377" TEXT250 "abcde\5\1\0\3\1a\0\1"),
     SAYS("\5\2\1\0"),
     SOCKS_CONNECT,
     "a",
     1,
     {0}},
    {SPAN("\5\1\1"), SAYS("\5\377"), SOCKS_BAD, "no way to authenticate", 0, {0}},
    {SPAN("\5\0"), SAYS("\5\377"), SOCKS_BAD, "no way to authenticate", 0, {0}},
    {SPAN("\5\1\2\2"), SAYS("\5\2\1\1"), SOCKS_BAD, "RFC 1929", 0, {0}},
    {SPAN("\5\1\2\5\1\0\3\1a\0\1"), SAYS("\5\2\1\1"), SOCKS_BAD, "RFC 1929", 0, {0}},
    /* requests that are refused, each with its code */
    {SPAN(NO "\5\2\0\1\300\0\2\1\0\26"), SAYS(SAID_NO FAILS("\7")), SOCKS_BAD, "BIND", 0, {0}},
    {SPAN(NO "\5\3\0\1\0\0\0\0\0\0"), SAYS(SAID_NO FAILS("\7")), SOCKS_BAD, "UDP", 0, {0}},
    {SPAN(NO "\5\0\0\1"), SAYS(SAID_NO FAILS("\7")), SOCKS_BAD, "BIND", 0, {0}},
    {SPAN(NO "\5\1\0\2"), SAYS(SAID_NO FAILS("\10")), SOCKS_BAD, "kind of address", 0, {0}},
    {SPAN(NO "\5\1\0\0"), SAYS(SAID_NO FAILS("\10")), SOCKS_BAD, "kind of address", 0, {0}},
    {SPAN(NO "\4\1\0\1\300\0\2\1\0"), SAYS(SAID_NO FAILS("\1")), SOCKS_BAD, "not SOCKS 5", 0, {0}},
    {SPAN(NO "\5\1\0\3\0\0\1"), SAYS(SAID_NO FAILS("\1")), SOCKS_BAD, "name is empty", 0, {0}},
    {SPAN(NO "\5\1\0\3\1a\0\0"), SAYS(SAID_NO FAILS("\1")), SOCKS_BAD, "port 0", 0, {0}},
    {SPAN(NO "\5\1\0\3\3a b\0\1"), SAYS(SAID_NO FAILS("\1")), SOCKS_BAD, "cannot", 0, {0}},
    {SPAN(NO "\5\1\0\3\16a HTTP/1.1\r\nX:\0\1"), SAYS(SAID_NO FAILS("\1")), SOCKS_BAD, "cannot", 0, {0}},
    {SPAN(NO "\5\1\0\3\4a\r\nb\0\1"), SAYS(SAID_NO FAILS("\1")), SOCKS_BAD, "cannot", 0, {0}},
    {SPAN(NO "\5\1\0\3\3a\0b\0\1"), SAYS(SAID_NO FAILS("\1")), SOCKS_BAD, "cannot", 0, {0}},
    {SPAN(NO "\5\1\0\3\4a:80\0\1"), SAYS(SAID_NO FAILS("\1")), SOCKS_BAD, "cannot", 0, {0}},
    {SPAN(NO "\5\1\0\3\10[::1]:22\0\1"), SAYS(SAID_NO FAILS("\1")), SOCKS_BAD, "cannot", 0, {0}},
    {SPAN(NO "\5\1\0\3\2u@\0\1"), SAYS(SAID_NO FAILS("\1")), SOCKS_BAD, "cannot", 0, {0}},
    {SPAN(NO "\5\1\0\3\3\303\244x\0\1"), SAYS(SAID_NO FAILS("\1")), SOCKS_BAD, "cannot", 0, {0}},
    {SPAN(NO "\5\1\0\3\1[\0\1"), SAYS(SAID_NO FAILS("\1")), SOCKS_BAD, "cannot", 0, {0}},
    {SPAN(NO "\5\1\0\3\2[]\0\1"), SAYS(SAID_NO FAILS("\1")), SOCKS_BAD, "cannot", 0, {0}},
    /* SOCKS 4 and 4a */
    {SPAN("\4\1\0\26\300\0\2\1alice\0"), SAYS(""), SOCKS_CONNECT, "192.0.2.1", 22, {0}},
    {SPAN("\4\1\0\26\0\0\0\1\0a.example\0"), SAYS(""), SOCKS_CONNECT, "a.example", 22, {0}},
    {SPAN("\4\1\0\26\0\0\0\377" TEXT250 "abcde\0" TEXT250 "abcde\0"),
     SAYS(""),
     SOCKS_CONNECT,
     TEXT250 "abcde",
     22,
     {0}},
    {SPAN("\4\1\0\26\0\0\0\0\0x"), SAYS(""), SOCKS_CONNECT, "0.0.0.0", 22, SPAN("x")},
    {SPAN("\4\2"), SAYS(REJECTS), SOCKS_BAD, "BIND", 0, {0}},
    {SPAN("\4\1\0\0\300\0\2\1\0"), SAYS(REJECTS), SOCKS_BAD, "port 0", 0, {0}},
    {SPAN("\4\1\0\26\0\0\0\1\0\0"), SAYS(REJECTS), SOCKS_BAD, "name is empty", 0, {0}},
    {SPAN("\4\1\0\26\0\0\0\1\0a\n\0"), SAYS(REJECTS), SOCKS_BAD, "cannot", 0, {0}},
    {SPAN("\4\1\0\26\300\0\2\1" TEXT250 "abcdef"), SAYS(REJECTS), SOCKS_BAD, "255", 0, {0}},
    {SPAN("\4\1\0\26\0\0\0\1\0" TEXT250 "abcdef"), SAYS(REJECTS), SOCKS_BAD, "255", 0, {0}},
    /* neither */
    {SPAN("\6\1\0"), SAYS(""), SOCKS_BAD, "neither SOCKS 5 nor SOCKS 4", 0, {0}},
    {SPAN("\0"), SAYS(""), SOCKS_BAD, "neither SOCKS 5 nor SOCKS 4", 0, {0}},
    {SPAN("\26\3\1\2\0"), SAYS(""), SOCKS_BAD, "neither SOCKS 5 nor SOCKS 4", 0, {0}},
    {SPAN("\377\377\377\377"), SAYS(""), SOCKS_BAD, "neither SOCKS 5 nor SOCKS 4", 0, {0}},
    {SPAN("GET http://x/ HTTP/1.1\r\n"), SAYS(""), SOCKS_BAD, "HTTP came", 0, {0}},
    {SPAN("CONNECT x:1 HTTP/1.1\r\n"), SAYS(""), SOCKS_BAD, "HTTP came", 0, {0}},
    /* not all there yet */
    {SPAN("\5"), SAYS(""), SOCKS_MORE, "", 0, {0}},
    {SPAN("\5\377\0"), SAYS(""), SOCKS_MORE, "", 0, {0}},
    {SPAN("\5\1\2\1\377abc"), SAYS("\5\2"), SOCKS_MORE, "", 0, {0}},
    {SPAN("\5\1\2\1\1a\377abc"), SAYS("\5\2"), SOCKS_MORE, "", 0, {0}},
    {SPAN(NO "\5\1\0"), SAYS(SAID_NO), SOCKS_MORE, "", 0, {0}},
    {SPAN(NO "\5\1\0\3"), SAYS(SAID_NO), SOCKS_MORE, "", 0, {0}},
    {SPAN(NO "\5\1\0\3\377abc"), SAYS(SAID_NO), SOCKS_MORE, "", 0, {0}},
    {SPAN(NO "\5\1\0\3\1a\0"), SAYS(SAID_NO), SOCKS_MORE, "", 0, {0}},
    {SPAN(NO "\5\1\0\4\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20\0"), SAYS(SAID_NO), SOCKS_MORE, "", 0, {0}},
    {SPAN("\4"), SAYS(""), SOCKS_MORE, "", 0, {0}},
    {SPAN("\4\1\0\26\300\0\2"), SAYS(""), SOCKS_MORE, "", 0, {0}},
    {SPAN("\4\1\0\26\300\0\2\1" TEXT250 "abcde"), SAYS(""), SOCKS_MORE, "", 0, {0}},
    {SPAN("\4\1\0\26\0\0\0\1\0" TEXT250 "abcde"), SAYS(""), SOCKS_MORE, "", 0, {0}},
};

/* Offers the bytes `step` more at a time; returns how it ended. *said: all that the client was told; *rest: what was not used. */
static enum socks_step run(struct span in, size_t step, struct buf *said, struct socks_message *m, char *host,
                           struct span *rest)
{
    struct socks_reader reader = {0};
    struct buf held = {0};
    enum socks_step end = SOCKS_MORE;
    size_t offered = 0;
    while (end == SOCKS_MORE && offered < in.n) {
        size_t more = step < in.n - offered ? step : in.n - offered;
        buf_add(&held, in.p + offered, more);
        offered += more;
        do {
            char *exact = malloc(held.n + 1); /* so that a byte too far is seen */
            char *start = exact + 1;
            memcpy(start, held.p, held.n);
            struct span left = span_make(start, held.n);
            end = socks_read(&reader, &left, m);
            assert_true(end != SOCKS_MORE || (left.n == held.n && held.n < SOCKS_MESSAGE_MOST));
            buf_add(said, m->say, m->n_say);
            if (end == SOCKS_CONNECT)
                snprintf(host, 300, "%.*s", SPAN_ARG(m->host));
            buf_drop(&held, held.n - left.n);
            free(exact);
        } while (end == SOCKS_SAY);
    }
    *rest = span_from(in, offered - held.n);
    buf_free(&held);
    return end;
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step <= cases[i].in.n; step = step < 4 ? step + 1 : step * 2 + 1) {
            struct buf said = {0};
            struct socks_message m = {.why = ""};
            struct span rest;
            char host[300] = "";
            enum socks_step end = run(cases[i].in, step, &said, &m, host, &rest);
            const char *words = end == SOCKS_BAD ? m.why : host;
            if (end != cases[i].end || !strstr(words, cases[i].host) ||
                (end == SOCKS_CONNECT && strcmp(host, cases[i].host) != 0) || m.port != cases[i].port)
                fail_msg("case %zu by %zu: %d, \"%s\", port %u", i, step, end, words, m.port);
            if (!span_eq(buf_span(&said), cases[i].said))
                fail_msg("case %zu by %zu: %zu bytes said", i, step, said.n);
            if (end == SOCKS_CONNECT && !span_eq(rest, cases[i].rest))
                fail_msg("case %zu by %zu: %zu bytes left", i, step, rest.n);
            buf_free(&said);
        }
}

static void test_http_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        struct span in;
        bool http;
    } first[] = {{SPAN("GET "), true}, {SPAN("Z"), true}, {SPAN("\26\3"), false}, {SPAN("get"), false}};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        struct socks_reader reader = {0};
        struct socks_message m;
        struct span in = first[i].in;
        assert_int_equal(socks_read(&reader, &in, &m), SOCKS_BAD);
        assert_int_equal(m.http, first[i].http);
    }
}

static void test_replies(void **state)
{
    (void)state;
    const struct socks_reader five = {.version = 5}, four = {.version = 4};
    char reply[10];
    for (enum socks_code code = SOCKS_GRANTED; code <= SOCKS_NO_SUCH_ADDRESS; code++) {
        assert_int_equal(socks_reply(&five, code, reply), 10);
        assert_memory_equal(reply, ((char[]){5, (char)code, 0, 1, 0, 0, 0, 0, 0, 0}), 10);
        assert_int_equal(socks_reply(&four, code, reply), 8);
        assert_memory_equal(reply, ((char[]){0, code ? 0x5B : 0x5A, 0, 0, 0, 0, 0, 0}), 8);
    }
}

/* Where a user is wanted, whoever can say who it is gets asked; nobody is turned away for it. */
static void test_user_and_password(void **state)
{
    (void)state;
    for (int wanted = 0; wanted < 2; wanted++) {
        struct socks_reader r = {.wants_user = wanted};
        struct socks_message m;
        struct span in = SPAN("\5\2\0\2");
        assert_int_equal(socks_read(&r, &in, &m), SOCKS_SAY);
        assert_int_equal(m.say[1], wanted ? 2 : 0);
        assert_int_equal(m.user.n, 0);
    }
    struct socks_reader r = {.wants_user = true};
    struct socks_message m;
    struct span in = SPAN("\5\1\0"), pair = SPAN("\1\5alice\3p:w");
    assert_int_equal(socks_read(&r, &in, &m), SOCKS_SAY);
    assert_int_equal(m.say[1], 0);
    r = (struct socks_reader){.version = 5, .state = SOCKS_PASSWORD};
    assert_int_equal(socks_read(&r, &pair, &m), SOCKS_SAY);
    assert_true(span_eq(m.user, SPAN("alice")) && span_eq(m.password, SPAN("p:w")));
    assert_int_equal(pair.n, 0);
}

static void test_over_is_over(void **state)
{
    (void)state;
    struct socks_reader reader = {0};
    struct socks_message m;
    struct span in = SPAN("\4\1\0\1\300\0\2\1\0\4\1\0\1\300\0\2\1\0");
    assert_int_equal(socks_read(&reader, &in, &m), SOCKS_CONNECT);
    assert_int_equal(socks_read(&reader, &in, &m), SOCKS_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_http_is_told_apart),
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_over_is_over),
        cmocka_unit_test(test_user_and_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
