/* Heads: where they end, limits, responses with their leniencies, lists and tokens. Requests by the table are
 * in test_http_cases.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/head.h"
#include "http/octet.h"

static void test_end(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t end;
    } cases[] = {
        {"", 0},
        {"G", 0},
        {"GET / HTTP/1.1\r\n", 0},
        {"GET / HTTP/1.1\r\n\r", 0},
        {"GET / HTTP/1.1\r\n\r\n", 18},
        {"GET / HTTP/1.1\r\n\r\nmore\r\n\r\n", 18},
        {"A: b\n\n", 6},
        {"A: b\n\r\n", 7},
        {"A: b\r\n\n", 7},
        {"A: b\r\r\n\r\n", 9},
        {"A: b\r\n\r\r\n", 0},
        {"\r\n", 2},
        {"\n", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct span bytes = span_str(cases[i].bytes);
        size_t scanned = 0;
        assert_int_equal(head_end(bytes, &scanned), cases[i].end);
        scanned = 0;
        size_t end = 0;
        for (size_t n = 0; n <= bytes.n && !end; n++) {
            end = head_end(span_head(bytes, n), &scanned);
            assert_true(scanned <= n);
            assert_true(!end || n == cases[i].end);
        }
        assert_int_equal(end, cases[i].end);
    }
}

static void test_empty_lines(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t skip;
    } cases[] = {
        {"", 0},   {"\r", 0},  {"\r\n", 2}, {"\r\nGET", 2}, {"\r\n\r\nGET", 4}, {"\r\n\r\n\r\n", 4},
        {"\n", 0}, {"GET", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(head_skip_empty_lines(span_str(cases[i].bytes)), cases[i].skip);
}

static void test_request_parts(void **state)
{
    (void)state;
    static const char text[] = "BREW coffee://a/b?c HTTP/1.0\r\nhOst: x\r\nA:\r\nb: \t1 2\t \r\nA: z\r\n\r\n";
    struct head h;
    struct fault fault;
    assert_true(head_read_request(&h, SPAN(text), &head_limits_default, &fault));
    assert_true(span_eq(h.method, SPAN("BREW")));
    assert_true(span_eq(h.target, SPAN("coffee://a/b?c")));
    assert_int_equal(h.minor, 0);
    assert_int_equal(h.n_fields, 4);
    assert_true(span_eq(h.fields[0].name, SPAN("hOst")));
    assert_true(span_eq(h.fields[2].value, SPAN("1 2")));
    assert_int_equal(head_field_count(&h, "a"), 2);
    const struct field *a = head_field(&h, "a");
    assert_ptr_equal(a, &h.fields[1]);
    assert_int_equal(a->value.n, 0);
    assert_ptr_equal(head_field_next(&h, a), &h.fields[3]);
    assert_null(head_field_next(&h, &h.fields[3]));
    assert_null(head_field(&h, "hos"));
    assert_memory_equal(h.bytes.p, text, sizeof text - 1);
    assert_ptr_not_equal(h.bytes.p, text);

    struct head moved = {0};
    head_move(&moved, &h);
    assert_int_equal(h.n_fields, 0);
    assert_null(h.bytes.p);
    assert_true(span_eq(moved.method, SPAN("BREW")));
    head_free(&h);
    head_free(&moved);
}

static void test_limits(void **state)
{
    (void)state;
    static const struct {
        struct head_limits limits;
        unsigned expected;
    } cases[] = {
        {{.bytes = 50, .target = 9, .fields = 2}, 0},
        {{.bytes = 49, .target = 9, .fields = 2}, 431},
        {{.bytes = 50, .target = 8, .fields = 2}, 414},
        {{.bytes = 50, .target = 9, .fields = 1}, 431},
    };
    static const char text[] = "GET http://aa HTTP/1.1\r\nHost: aa\r\nX: yyyyyyyyy\r\n\r\n";
    assert_int_equal(sizeof text - 1, 50);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct head h;
        struct fault fault = {0};
        bool ok = head_read_request(&h, SPAN(text), &cases[i].limits, &fault);
        assert_int_equal(fault.status, cases[i].expected);
        assert_int_equal(ok, !cases[i].expected);
        assert_true(ok || (!h.fields && !h.bytes.p));
        head_free(&h);
    }
}

/* Connection is looked through for each field: it must not be long. */
static void test_long_connection(void **state)
{
    (void)state;
    for (size_t n = 4096; n <= 4097; n++) {
        struct buf b = {0};
        buf_add_str(&b, "GET / HTTP/1.1\r\nHost: a\r\nConnection: a\r\nConnection: ");
        for (size_t i = 1; i < n; i++)
            buf_add(&b, "b", 1);
        buf_add_str(&b, "\r\n\r\n");
        struct head h;
        struct fault fault = {0};
        assert_int_equal(head_read_request(&h, buf_span(&b), &head_limits_default, &fault), n == 4096);
        assert_int_equal(fault.status, n == 4096 ? 0 : 431);
        head_free(&h);
        buf_free(&b);
    }
}

static void test_block_is_not_one_head(void **state)
{
    (void)state;
    static const char *const blocks[] = {
        "",
        "GET / HTTP/1.1",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nX: y\r\n\r\n",
        "\r\n",
    };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        struct head h;
        struct fault fault = {0};
        assert_false(head_read_request(&h, span_str(blocks[i]), &head_limits_default, &fault));
        assert_int_equal(fault.status, 400);
        assert_non_null(fault.why);
    }
}

#define BLOCK(text)                                                                                          \
    {                                                                                                        \
        (text), sizeof(text) - 1                                                                             \
    }
static const struct {
    struct span block;
    unsigned status; /* 0: refused */
    unsigned minor;
    const char *reason;
    const char *value; /* of X */
    bool lenient;
} responses[] = {
    {BLOCK("HTTP/1.1 200 OK\r\nX: a\r\n\r\n"), 200, 1, "OK", "a", false},
    {BLOCK("HTTP/1.0 999 \r\nX: a\r\n\r\n"), 999, 0, "", "a", false},
    {BLOCK("HTTP/1.1 204\r\nX: a\r\n\r\n"), 204, 1, "", "a", false},
    {BLOCK("HTTP/1.1 404 not  here \303\251\r\nX: a\r\n\r\n"), 404, 1, "not  here \303\251", "a", false},
    {BLOCK("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\t \t c \r\nY: z\r\n\r\n"), 200, 1, "OK", "a   b      c", false},
    {BLOCK("HTTP/1.1 200 OK\r\nX:\r\n a\r\n\r\n"), 200, 1, "OK", "a", false},
    {BLOCK("HTTP/1.1 200 OK\r\nX: a\r\n \r\n\r\n"), 200, 1, "OK", "a", false},
    {BLOCK("HTTP/1.1 200 OK\nX: a\n\n"), 200, 1, "OK", "a", true},
    {BLOCK("HTTP/1.1 200 OK\nX: a\n b\r\n\n"), 200, 1, "OK", "a  b", true},
    {BLOCK("HTTP/1.1 200 OK\nX: a\n\n"), 0, 0, NULL, NULL, false},
    {BLOCK("HTTP/1.1 200 OK\r\nX: a\n\r\n"), 0, 0, NULL, NULL, false},
    {BLOCK("HTTP/1.1 200 OK\r\n X: a\r\n\r\n"), 0, 0, NULL, NULL, false},
    {BLOCK("HTTP/1.1 200 OK\r\nX : a\r\n\r\n"), 0, 0, NULL, NULL, false},
    {BLOCK("HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n"), 0, 0, NULL, NULL, true},
    {BLOCK("HTTP/1.1 200 OK\r\nX: a\r\n b\0\r\n\r\n"), 0, 0, NULL, NULL, false},
    {BLOCK("HTTP/1.1 200 O\0K\r\nX: a\r\n\r\n"), 0, 0, NULL, NULL, false},
    {BLOCK("HTTP/1.1 200 O\rK\r\nX: a\r\n\r\n"), 0, 0, NULL, NULL, false},
    {BLOCK("HTTP/1.1 099 OK\r\nX: a\r\n\r\n"), 0, 0, NULL, NULL, false},
    {BLOCK("HTTP/1.1 20 OK\r\nX: a\r\n\r\n"), 0, 0, NULL, NULL, false},
    {BLOCK("HTTP/1.1 2000 OK\r\nX: a\r\n\r\n"), 0, 0, NULL, NULL, false},
    {BLOCK("HTTP/1.1 200OK\r\nX: a\r\n\r\n"), 0, 0, NULL, NULL, false},
    {BLOCK("HTTP/1.1  200 OK\r\nX: a\r\n\r\n"), 0, 0, NULL, NULL, false},
    {BLOCK("HTTP/2.0 200 OK\r\nX: a\r\n\r\n"), 0, 0, NULL, NULL, false},
    {BLOCK("http/1.1 200 OK\r\nX: a\r\n\r\n"), 0, 0, NULL, NULL, false},
    {BLOCK("ICY 200 OK\r\nX: a\r\n\r\n"), 0, 0, NULL, NULL, false},
    {BLOCK("SSH-2.0-x\r\n\r\n"), 0, 0, NULL, NULL, true},
    {BLOCK("\r\n\r\n"), 0, 0, NULL, NULL, true},
};

static void test_responses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
        struct head h;
        struct fault fault = {0};
        bool ok =
            head_read_response(&h, responses[i].block, &head_limits_default, responses[i].lenient, &fault);
        if (ok != (responses[i].status != 0))
            fail_msg("response %zu: %s", i, ok ? "taken" : fault.why);
        if (!ok) {
            assert_int_equal(fault.status, 502);
            continue;
        }
        assert_int_equal(h.status, responses[i].status);
        assert_int_equal(h.minor, responses[i].minor);
        assert_true(span_eq(h.reason, span_str(responses[i].reason)));
        if (!span_eq(head_field(&h, "x")->value, span_str(responses[i].value)))
            fail_msg("response %zu: \"%.*s\"", i, SPAN_ARG(head_field(&h, "x")->value));
        head_free(&h);
    }
}

static void test_lists(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        const char *members; /* joined by '|' */
    } cases[] = {
        {"", ""},
        {" ,\t, ,", ""},
        {"a", "a"},
        {"a,b", "a|b"},
        {" a ,, b\t", "a|b"},
        {"a;x=\"1,2\", b", "a;x=\"1,2\"|b"},
        {"\"a\\\",b\",c", "\"a\\\",b\"|c"},
        {"\"a,b", "\"a,b"},
        {"\"a\\", "\"a\\"},
        {"a b,c", "a b|c"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf got = {0};
        struct span rest = span_str(cases[i].list);
        struct span member;
        while (list_next(&rest, &member)) {
            buf_add_str(&got, got.n ? "|" : "");
            buf_add_span(&got, member);
        }
        assert_true(span_eq(buf_span(&got), span_str(cases[i].members)));
        buf_free(&got);
    }
}

static void test_tokens_in_fields(void **state)
{
    (void)state;
    static const struct {
        const char *token;
        bool there;
    } cases[] = {
        {"close", true}, {"upgrade", true}, {"keep-alive", true},
        {"clos", false}, {"x", false},      {"timeout=5", false},
    };
    struct head h;
    struct fault fault;
    assert_true(
        head_read_response(&h,
                           SPAN("HTTP/1.1 200 OK\r\nConnection: foo, CLOSE\r\nconnection: Upgrade ; x\r\n"
                                "CONNECTION: keep-alive;timeout=5\r\nOther: x\r\n\r\n"),
                           &head_limits_default, false, &fault));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(head_has_token(&h, "Connection", cases[i].token), cases[i].there);
    head_free(&h);
}

/* The table of octets against the grammar's own words. */
static void test_octets(void **state)
{
    (void)state;
    for (int i = 0; i < 256; i++) {
        char c = (char)i;
        bool alnum = (i >= '0' && i <= '9') || (i >= 'a' && i <= 'z') || (i >= 'A' && i <= 'Z');
        assert_int_equal(!!octet_is(c, OCTET_TOKEN), alnum || (i && strchr("!#$%&'*+-.^_`|~", i)));
        assert_int_equal(!!octet_is(c, OCTET_VALUE), i == '\t' || (i >= ' ' && i != 127));
        assert_int_equal(!!octet_is(c, OCTET_TARGET), i > ' ' && i < 127);
        assert_int_equal(!!octet_is(c, OCTET_HEX), i && strchr("0123456789abcdefABCDEF", i));
        assert_int_equal(!!octet_is(c, OCTET_HOST), alnum || (i && strchr("-._~", i)));
    }
    assert_true(http_token(SPAN("M-SEARCH")));
    assert_false(http_token(SPAN("")));
    assert_false(http_token(SPAN("a b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_empty_lines),
        cmocka_unit_test(test_request_parts),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_long_connection),
        cmocka_unit_test(test_block_is_not_one_head),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_tokens_in_fields),
        cmocka_unit_test(test_octets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
