/*
 * Where bodies end: the rows of RFC 9112 section 6.3, and many thousand spellings of Transfer-Encoding and
 * Content-Length, of which only the plain ones may frame a message. Anything else must be refused, never
 * passed on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "http_message.h"

static const struct {
    const char *method; /* of the request */
    const char *head;   /* behind "HTTP/1." */
    int kind;           /* enum body_kind, or -1: refused */
    uint64_t length;
} responses[] = {
    {"GET", "1 200 OK\r\nContent-Length: 7\r\n", BODY_LENGTH, 7},
    {"GET", "0 200 OK\r\nContent-Length: 0\r\n", BODY_LENGTH, 0},
    {"GET", "1 200 OK\r\nTransfer-Encoding: Chunked\r\n", BODY_CHUNKED, 0},
    {"GET", "1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n", BODY_CHUNKED, 0},
    {"GET", "1 200 OK\r\n", BODY_CLOSE, 0},
    {"GET", "1 407 No\r\n", BODY_CLOSE, 0},
    {"HEAD", "1 200 OK\r\nContent-Length: 7\r\n", BODY_NONE, 0},
    {"HEAD", "1 200 OK\r\nTransfer-Encoding: chunked\r\n", BODY_NONE, 0},
    {"head", "1 200 OK\r\nContent-Length: 7\r\n", BODY_LENGTH, 7},
    {"GET", "1 204 No\r\nContent-Length: 7\r\n", BODY_NONE, 0},
    {"GET", "1 304 No\r\nContent-Length: 7\r\n", BODY_NONE, 0},
    {"GET", "1 304 No\r\nTransfer-Encoding: chunked\r\n", BODY_NONE, 0},
    {"GET", "1 100 Go\r\nContent-Length: 7\r\n", BODY_NONE, 0},
    {"GET", "1 199 Go\r\n", BODY_NONE, 0},
    {"GET", "1 101 Go\r\nContent-Length: 7\r\n", BODY_TUNNEL, 0},
    {"CONNECT", "1 200 OK\r\n", BODY_TUNNEL, 0},
    {"CONNECT", "0 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: x\r\n", BODY_TUNNEL, 0},
    {"CONNECT", "1 204 OK\r\nContent-Length: 7\r\n", BODY_TUNNEL, 0},
    {"CONNECT", "1 299 OK\r\nTransfer-Encoding: chunked\r\n", BODY_TUNNEL, 0},
    {"CONNECT", "1 100 Go\r\n", BODY_NONE, 0},
    {"CONNECT", "1 407 No\r\nContent-Length: 7\r\n", BODY_LENGTH, 7},
    {"CONNECT", "1 302 No\r\n", BODY_CLOSE, 0},
    {"GET", "1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n", -1, 0},
    {"GET", "1 200 OK\r\nContent-Length: 7\r\nContent-Length: 7\r\n", -1, 0},
    {"GET", "1 200 OK\r\nContent-Length: 7, 7\r\n", -1, 0},
    {"GET", "1 200 OK\r\nContent-Length: -7\r\n", -1, 0},
    {"GET", "1 200 OK\r\nContent-Length:\r\n", -1, 0},
    {"GET", "1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n", -1, 0},
    {"GET", "1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n", -1, 0},
    {"GET", "1 200 OK\r\nTransfer-Encoding: identity\r\n", -1, 0},
    {"GET", "1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", -1, 0},
    {"GET", "0 200 OK\r\nTransfer-Encoding: chunked\r\n", -1, 0},
    {"GET", "1 200 OK\r\nTransfer_Encoding: chunked\r\n", -1, 0},
};

static void test_responses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
        struct buf b = {0};
        buf_addf(&b, "HTTP/1.%s\r\n", responses[i].head);
        struct head h;
        struct fault fault = {0};
        struct body_rule rule;
        assert_true(head_read_response(&h, buf_span(&b), &head_limits_default, false, &fault));
        bool ok = framing_response(&h, span_str(responses[i].method), &rule, &fault);
        if (ok != (responses[i].kind >= 0) || (ok && (int)rule.kind != responses[i].kind))
            fail_msg("%s, %s: %d", responses[i].method, responses[i].head, ok ? (int)rule.kind : -1);
        if (ok && rule.kind == BODY_LENGTH)
            assert_int_equal(rule.length, responses[i].length);
        if (!ok)
            assert_int_equal(fault.status, 502);
        head_free(&h);
        buf_free(&b);
    }
}

static void test_requests(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        enum body_kind kind;
        uint64_t length;
    } cases[] = {
        {"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", BODY_NONE, 0},
        {"POST http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", BODY_NONE, 0},
        {"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", BODY_LENGTH, 0},
        {"GET http://a/ HTTP/1.1\r\nHost: a\r\ncontent-length: 2\r\n\r\n..", BODY_LENGTH, 2},
        {"PUT http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BODY_CHUNKED, 0},
        {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", BODY_NONE, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct message m;
        assert_int_equal(message_read(&m, span_str(cases[i].bytes), 1000, NULL), ACCEPTED);
        assert_int_equal(m.rule.kind, cases[i].kind);
        assert_int_equal(m.rule.length, cases[i].length);
        message_free(&m);
    }
}

/*
 * One spelling: is the message refused, or framed by our field alone? "Passed on with the field as an unknown
 * one" is what must not happen: then the next server may see a body where we saw none.
 */
static void check_spelling(struct span line, bool plain, enum body_kind kind, const char *other)
{
    struct buf b = {0};
    buf_add_str(&b, "POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\n");
    buf_add_str(&b, other);
    buf_add_span(&b, line);
    buf_add_str(&b, "\r\n\r\n0\r\n\r\nGET http://b.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n");
    struct message m;
    unsigned verdict = message_read(&m, buf_span(&b), b.n, NULL);
    bool expected = plain && !other[0];
    if (expected ? verdict != ACCEPTED || m.rule.kind != kind : verdict <= INCOMPLETE)
        fail_msg("\"%.*s\": verdict %u, kind %d", SPAN_ARG(line), verdict, (int)m.rule.kind);
    message_free(&m);
    buf_free(&b);
}

static bool is_blank(int c)
{
    return c == ' ' || c == '\t';
}

/* One byte, or a byte and a space or a CRLF, put at every place of NAME ":" " " VALUE. */
static void check_inserted(const char *name, const char *value, enum body_kind kind)
{
    static const char *const patterns[] = {"B",     "B ",  " B",  "BB",  "\r\nB",
                                           "B\r\n", "\rB", "B\r", "\nB", "B\n"};
    char line[100];
    size_t n = (size_t)snprintf(line, sizeof line, "%s: %s", name, value);
    size_t colon = strlen(name);
    for (int byte = 0; byte < 256; byte++) {
        bool wanted = byte < 0x20 || byte >= 0x7f || is_blank(byte);
        for (size_t at = 0; wanted && at <= n; at++)
            for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
                struct buf b = {0};
                buf_add(&b, line, at);
                bool blanks = true;
                for (const char *c = patterns[p]; *c; c++) {
                    char put = *c == 'B' ? (char)byte : *c;
                    blanks = blanks && is_blank(put);
                    buf_add(&b, &put, 1);
                }
                buf_add(&b, line + at, n - at);
                /* White space around a value is no part of it; an empty line before or behind the field is no
                 * disguise. */
                bool plain = blanks && ((at > colon && at <= colon + 2) || at == n);
                bool apart = span_starts(buf_span(&b), SPAN("\r\n")) || span_ends(buf_span(&b), SPAN("\r\n"));
                if (!apart)
                    check_spelling(buf_span(&b), plain, kind, "");
                buf_free(&b);
            }
    }
}

static void test_bytes_put_in(void **state)
{
    (void)state;
    check_inserted("Transfer-Encoding", "chunked", BODY_CHUNKED);
    check_inserted("Content-Length", "5", BODY_LENGTH);
}

/* One byte in the place of another: every byte there is. A letter may change its case; other printable bytes
 * in a name make another name. */
static void test_bytes_changed(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        size_t colon;
        enum body_kind kind;
    } fields[] = {{"Transfer-Encoding: chunked", 17, BODY_CHUNKED}, {"Content-Length: 5", 14, BODY_LENGTH}};
    for (size_t f = 0; f < 2; f++)
        for (size_t at = 0; at < strlen(fields[f].line); at++)
            for (int byte = 0; byte < 256; byte++) {
                char line[40];
                size_t n = strlen(fields[f].line);
                memcpy(line, fields[f].line, n);
                char was = line[at];
                line[at] = (char)byte;
                bool letter = (was | 0x20) >= 'a' && (was | 0x20) <= 'z';
                bool same = byte == was || (letter && (byte ^ was) == 0x20) ||
                            (at == fields[f].colon + 1 && is_blank(byte));
                bool name = at < fields[f].colon && !(byte == '_' && was == '-') &&
                            (http_token(span_make(line + at, 1)) || (byte == ':' && at));
                bool number =
                    fields[f].kind == BODY_LENGTH && at > fields[f].colon && byte >= '0' && byte <= '9';
                if (!(name && !same) && !number)
                    check_spelling(span_make(line, n), same, fields[f].kind, "");
            }
}

/* The plain spelling and a strange one, in either order, and beside a Content-Length: never accepted. */
static void test_beside_each_other(void **state)
{
    (void)state;
    static const char *const strange[] = {
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: x",
        "transfer-encoding:chunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: chunked, x",
        "Transfer-Encoding: x, chunked",
        "Transfer-Encoding: ",
        "Transfer-Encoding: \"chunked\"",
        "Transfer_Encoding: chunked",
        "Content-Length: 5",
        "Content-Length: 6",
        "Content-Length: ",
        "content-length: 5",
        "Content_Length: 5",
        "Transfer-Encoding:\r\n chunked",
        "X: y\r\n Transfer-Encoding: x",
        " Transfer-Encoding: chunked",
        "X: y\rTransfer-Encoding: chunked",
        "Transfer-Encoding: chunk\x80"
        "ed",
    };
    static const char *const others[] = {
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: x\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    };
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
        for (size_t j = 0; j < sizeof others / sizeof *others; j++)
            check_spelling(span_str(strange[i]), true, BODY_NONE, others[j]);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Letter case at random is the one freedom of spelling that there is. */
static void test_letter_case(void **state)
{
    (void)state;
    uint32_t seed = 9112;
    for (size_t round = 0; round < 2000; round++) {
        char line[] = "Transfer-Encoding: chunked";
        for (char *c = line; *c; c++)
            if (((*c | 0x20) >= 'a') && ((*c | 0x20) <= 'z') && next_random(&seed) & 1)
                *c ^= 0x20;
        check_spelling(span_str(line), true, BODY_CHUNKED, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_responses),         cmocka_unit_test(test_requests),
        cmocka_unit_test(test_bytes_put_in),      cmocka_unit_test(test_bytes_changed),
        cmocka_unit_test(test_beside_each_other), cmocka_unit_test(test_letter_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
