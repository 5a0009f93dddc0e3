/* The reader of message content: every framing, every way to cut the input, what stands behind the end, and the end of the
   connection as an end or as a break. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/body.h"

static const struct {
    const char *name;
    struct body_rule rule;
    const char *bytes, *content, *rest;
    bool ended;   /* by these bytes alone */
    bool eof_end; /* the connection's end here is the body's end */
} cases[] = {
    {"none", {BODY_NONE, 0}, "", "", "", true, true},
    {"none, and what follows", {BODY_NONE, 0}, "HTTP", "", "HTTP", true, true},
    {"length 0", {BODY_LENGTH, 0}, "", "", "", true, true},
    {"length 0, and what follows", {BODY_LENGTH, 0}, "x", "", "x", true, true},
    {"length, whole", {BODY_LENGTH, 5}, "hello", "hello", "", true, true},
    {"length, more than it", {BODY_LENGTH, 5}, "helloHTTP", "hello", "HTTP", true, true},
    {"length, one short", {BODY_LENGTH, 6}, "hello", "hello", "", false, false},
    {"length, nothing yet", {BODY_LENGTH, 6}, "", "", "", false, false},
    {"length, huge", {BODY_LENGTH, UINT64_MAX}, "hello", "hello", "", false, false},
    {"chunked, whole", {BODY_CHUNKED, 0}, "3\r\nhel\r\n2;x\r\nlo\r\n0\r\n\r\n", "hello", "", true, true},
    {"chunked, more than it", {BODY_CHUNKED, 0}, "5\r\nhello\r\n0\r\n\r\nHTTP", "hello", "HTTP", true, true},
    {"chunked, trailers", {BODY_CHUNKED, 0}, "1\r\na\r\n0\r\nA: b\r\n\r\nz", "a", "z", true, true},
    {"chunked, without the last chunk", {BODY_CHUNKED, 0}, "5\r\nhello\r\n", "hello", "", false, false},
    {"chunked, without the last line", {BODY_CHUNKED, 0}, "5\r\nhello\r\n0\r\n", "hello", "", false, false},
    {"chunked, nothing yet", {BODY_CHUNKED, 0}, "", "", "", false, false},
    {"close", {BODY_CLOSE, 0}, "all of it", "all of it", "", false, true},
    {"close, empty", {BODY_CLOSE, 0}, "", "", "", false, true},
};

/* Feeds pieces that end at `cuts` (offsets, in order). */
static void read_cut(size_t at_case, const size_t *cuts, size_t n_cuts)
{
    const char *bytes = cases[at_case].bytes, *name = cases[at_case].name;
    size_t total = strlen(bytes), at = 0;
    struct buf content = {0};
    struct body b;
    body_start(&b, cases[at_case].rule);
    for (size_t i = 0; i <= n_cuts && !body_ended(&b); i++) {
        struct span in = span_make(bytes + at, (i < n_cuts ? cuts[i] : total) - at), data;
        const char *end = in.p + in.n;
        enum chunked_result result;
        while ((result = body_read(&b, &in, &data)) == CHUNKED_DATA) {
            if (!data.n || data.p < bytes + at || data.p + data.n > end)
                fail_msg("%s: a piece that is empty or not of the input", name);
            buf_add_span(&content, data);
        }
        if (result == CHUNKED_BAD || (result == CHUNKED_MORE && in.n) ||
            (result == CHUNKED_END) != body_ended(&b))
            fail_msg("%s: result %d with %zu bytes left", name, (int)result, in.n);
        at = (size_t)(end - bytes) - in.n;
    }
    if (!span_eq(buf_span(&content), span_str(cases[at_case].content)))
        fail_msg("%s: content \"%.*s\"", name, SPAN_ARG(buf_span(&content)));
    if (body_ended(&b) != cases[at_case].ended)
        fail_msg("%s: ended %d", name, body_ended(&b));
    /* With a cut inside of what follows, the last piece was not offered: what was taken must end right all the same. */
    if (body_ended(&b) && at != total - strlen(cases[at_case].rest))
        fail_msg("%s: %zu bytes taken", name, at);
    if (body_eof(&b) != cases[at_case].eof_end || body_ended(&b) != cases[at_case].eof_end)
        fail_msg("%s: the end of the connection", name);
    buf_free(&content);
    body_free(&b);
}

static void test_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        read_cut(i, NULL, 0);
}

static void test_cut_in_two_and_three_everywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t a = 0; a <= strlen(cases[i].bytes); a++)
            for (size_t b = a; b <= strlen(cases[i].bytes); b++)
                read_cut(i, (size_t[]){a, b}, 2);
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t cuts[64], n = strlen(cases[i].bytes);
        assert_true(n <= 64);
        for (size_t at = 0; at < n; at++)
            cuts[at] = at;
        read_cut(i, cuts, n);
    }
}

/* Asked again after its end it says END again and takes nothing. */
static void test_after_the_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct span in = span_str(cases[i].bytes), data;
        struct body b;
        body_start(&b, cases[i].rule);
        while (body_read(&b, &in, &data) == CHUNKED_DATA)
            ;
        body_eof(&b);
        if (body_ended(&b)) {
            struct span next = SPAN("HTTP/1.1 200 OK");
            assert_int_equal(body_read(&b, &next, &data), CHUNKED_END);
            assert_int_equal(next.n, 15);
        }
        body_free(&b);
    }
}

static void test_bad_chunks_stay_bad(void **state)
{
    (void)state;
    static const char *const bad[] = {"x\r\n", "5\r\nhelloX", "5 \r\nhello", "0\r\n: v\r\n\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct span in = span_str(bad[i]), more = SPAN("0\r\n\r\n"), data;
        struct body b;
        enum chunked_result result;
        body_start(&b, (struct body_rule){BODY_CHUNKED, 0});
        while ((result = body_read(&b, &in, &data)) == CHUNKED_DATA)
            ;
        if (result != CHUNKED_BAD || body_read(&b, &more, &data) != CHUNKED_BAD || body_ended(&b) ||
            body_eof(&b))
            fail_msg("taken: %s", bad[i]);
        body_free(&b);
    }
}

static void test_trailers(void **state)
{
    (void)state;
    struct span in = SPAN("0\r\nDigest: x\r\nA: b\r\n\r\n"), data;
    struct body b;
    body_start(&b, (struct body_rule){BODY_CHUNKED, 0});
    assert_int_equal(body_read(&b, &in, &data), CHUNKED_END);
    const struct field *f = head_field(body_trailers(&b), "digest");
    assert_non_null(f);
    assert_true(span_eq(f->value, SPAN("x")));
    body_free(&b);
    body_start(&b, (struct body_rule){BODY_LENGTH, 1});
    assert_null(body_trailers(&b));
    body_free(&b);
    body_free(&b); /* twice is harmless */
    assert_true(body_ended(&b));
}

/* More than four gigabytes: the count must not be cut to a machine's int. */
static void test_long_lengths_count_down(void **state)
{
    (void)state;
    static char block[1 << 20];
    struct body b;
    uint64_t length = ((uint64_t)4 << 30) + 3, got = 0;
    body_start(&b, (struct body_rule){BODY_LENGTH, length});
    for (;;) {
        struct span in = span_make(block, sizeof block), data;
        if (body_read(&b, &in, &data) != CHUNKED_DATA)
            break;
        got += data.n;
        if (body_ended(&b))
            assert_int_equal(in.n, sizeof block - 3);
    }
    assert_true(got == length);
    body_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_cut_in_two_and_three_everywhere),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_after_the_end),
        cmocka_unit_test(test_bad_chunks_stay_bad),
        cmocka_unit_test(test_trailers),
        cmocka_unit_test(test_long_lengths_count_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
