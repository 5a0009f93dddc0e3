/* The chunked coding: what is taken, whatever way it is cut; ceilings; what is written. Faults by name are in
 * test_http_cases.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/chunked.h"

/* Decodes in pieces of `step` bytes; what is left is put into *rest. */
static enum chunked_result decode(struct span bytes, size_t step, struct buf *body, struct span *rest,
                                  struct chunked *c)
{
    enum chunked_result result = CHUNKED_MORE;
    chunked_init(c);
    size_t at = 0;
    while (result == CHUNKED_MORE && at < bytes.n) {
        struct span piece = span_head(span_from(bytes, at), step);
        const char *end = piece.p + piece.n;
        struct span data;
        while ((result = chunked_read(c, &piece, &data)) == CHUNKED_DATA) {
            assert_true(data.n && data.p >= bytes.p + at && data.p + data.n <= end);
            buf_add_span(body, data);
        }
        assert_true(result != CHUNKED_MORE || piece.n == 0);
        at = (size_t)(end - bytes.p) - piece.n;
    }
    *rest = span_from(bytes, at);
    return result;
}

static const struct {
    const char *bytes;
    enum chunked_result result;
    const char *body;
    const char *rest;
    size_t trailers;
} cases[] = {
    {"0\r\n\r\n", CHUNKED_END, "", "", 0},
    {"0\r\n\r\nGET", CHUNKED_END, "", "GET", 0},
    {"0\r\n\r\n\r\n", CHUNKED_END, "", "\r\n", 0},
    {"5\r\nhello\r\n0\r\n\r\n", CHUNKED_END, "hello", "", 0},
    {"1\r\na\r\n02\r\nbc\r\n003\r\ndef\r\n0000000000000000\r\n\r\nx", CHUNKED_END, "abcdef", "x", 0},
    {"5;a\r\nhello\r\n0;b=\"c;d\"; e\r\n\r\n", CHUNKED_END, "hello", "", 0},
    {"4; \ta=\377\r\n\r\n\r\n\r\n0\r\n\r\n", CHUNKED_END, "\r\n\r\n", "", 0},
    {"0\r\nA: b\r\nC:\r\n\r\nrest", CHUNKED_END, "", "rest", 2},
    {"", CHUNKED_MORE, "", "", 0},
    {"5\r\nhel", CHUNKED_MORE, "hel", "", 0},
    {"5\r\nhello\r\n0\r\n", CHUNKED_MORE, "hello", "", 0},
    {"7fffffffffffffff\r\nx", CHUNKED_MORE, "x", "", 0},
    {"8000000000000000\r\nx", CHUNKED_BAD, "", NULL, 0},
    {"00000000000000001\r\nx\r\n0\r\n\r\n", CHUNKED_BAD, "", NULL, 0},
    {"g\r\n", CHUNKED_BAD, "", NULL, 0},
    {"\r\n", CHUNKED_BAD, "", NULL, 0},
    {"1\ra", CHUNKED_BAD, "", NULL, 0},
    {"1\r\nab\r\n", CHUNKED_BAD, "a", NULL, 0},
    {"1\r\na\n0\r\n\r\n", CHUNKED_BAD, "a", NULL, 0},
    {"1\r\na\r0\r\n\r\n", CHUNKED_BAD, "a", NULL, 0},
    {"1\r\naX\n0\r\n\r\n", CHUNKED_BAD, "a", NULL, 0},
    {"1\r\na\rX0\r\n\r\n", CHUNKED_BAD, "a", NULL, 0},
    {"1; =b\r\na\r\n", CHUNKED_BAD, "", NULL, 0},
    {"1;a\t\001\r\na\r\n", CHUNKED_BAD, "", NULL, 0},
    {"0\r\n: x\r\n\r\n", CHUNKED_BAD, "", NULL, 0},
    {"0\r\n x: y\r\n\r\n", CHUNKED_BAD, "", NULL, 0},
    {"0\r\nx: y\rz\r\n\r\n", CHUNKED_BAD, "", NULL, 0},
};

static void test_decode(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct span bytes = span_str(cases[i].bytes);
        for (size_t step = 1; step <= bytes.n + 1; step++) {
            struct buf body = {0};
            struct span rest;
            struct chunked c;
            enum chunked_result result = decode(bytes, step, &body, &rest, &c);
            if (result != cases[i].result)
                fail_msg("case %zu in steps of %zu: %d (%s)", i, step, (int)result, c.why ? c.why : "");
            assert_true(span_eq(buf_span(&body), span_str(cases[i].body)));
            assert_int_equal(c.trailers.n_fields, cases[i].trailers);
            if (cases[i].rest)
                assert_true(span_eq(rest, span_str(cases[i].rest)));
            if (result == CHUNKED_BAD)
                assert_non_null(c.why);
            /* It stays where it ended. */
            struct span more = SPAN("5\r\nhello\r\n");
            struct span data;
            if (result != CHUNKED_MORE)
                assert_int_equal(chunked_read(&c, &more, &data), result);
            chunked_free(&c);
            buf_free(&body);
        }
    }
}

static void add_times(struct buf *b, const char *text, size_t n)
{
    while (n--)
        buf_add_str(b, text);
}

static enum chunked_result decode_all(struct buf *bytes)
{
    struct buf body = {0};
    struct span rest;
    struct chunked c;
    enum chunked_result result = decode(buf_span(bytes), 4096, &body, &rest, &c);
    chunked_free(&c);
    buf_free(&body);
    buf_free(bytes);
    return result;
}

static void test_ceilings(void **state)
{
    (void)state;
    struct buf b = {0};
    /* 1024 bytes behind the ';', CR among them, in one line */
    for (size_t n = 1023; n <= 1024; n++) {
        buf_add_str(&b, "0;");
        add_times(&b, "a", n);
        buf_add_str(&b, "\r\n\r\n");
        assert_int_equal(decode_all(&b), n == 1023 ? CHUNKED_END : CHUNKED_BAD);
    }
    /* 16 KiB in all */
    for (size_t n = 16; n <= 17; n++) {
        for (size_t i = 0; i < n; i++) {
            buf_add_str(&b, i + 1 < n ? "1;" : "0;");
            add_times(&b, "a", 1023);
            buf_add_str(&b, i + 1 < n ? "\r\nx\r\n" : "\r\n\r\n");
        }
        assert_int_equal(decode_all(&b), n == 16 ? CHUNKED_END : CHUNKED_BAD);
    }
    /* 100 trailers, 64 KiB of them */
    for (size_t n = 100; n <= 101; n++) {
        buf_add_str(&b, "0\r\n");
        add_times(&b, "a: b\r\n", n);
        buf_add_str(&b, "\r\n");
        assert_int_equal(decode_all(&b), n == 100 ? CHUNKED_END : CHUNKED_BAD);
    }
    buf_add_str(&b, "0\r\na: ");
    add_times(&b, "b", 70000);
    assert_int_equal(decode_all(&b), CHUNKED_BAD);
}

static void test_write(void **state)
{
    (void)state;
    char text[CHUNK_LINE_MAX];
    assert_int_equal(chunk_line(text, 0x1a2b), 6);
    assert_memory_equal(text, "1a2b\r\n", 6);
    assert_int_equal(chunk_line(text, SIZE_MAX), 18);

    struct head trailers;
    struct fault fault;
    assert_true(
        head_read_fields(&trailers,
                         SPAN("Checksum: 1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: x\r\n"
                              "Proxy-Authenticate: NTLM\r\nProxy-Authentication-Info: x\r\nSet-Cookie: a\r\n"
                              "authorization: x\r\nConnection: Mine\r\nMine: x\r\nTrailer: x\r\nvIA: x\r\n"
                              "Authentication-Info: rspauth=\"\"\r\nX-y:\r\n\r\n"),
                         &head_limits_default, &fault));
    struct buf out = {0};
    assert_true(chunk_end(&out, &trailers));
    assert_string_equal(buf_cstr(&out),
                        "0\r\nChecksum: 1\r\nAuthentication-Info: rspauth=\"\"\r\nX-y: \r\n\r\n");
    buf_clear(&out);
    assert_true(chunk_end(&out, NULL));
    assert_string_equal(buf_cstr(&out), "0\r\n\r\n");
    buf_free(&out);
    struct buf small;
    buf_init(&small, 12);
    assert_false(chunk_end(&small, &trailers));
    assert_int_equal(small.n, 0);
    buf_free(&small);
    head_free(&trailers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_ceilings),
        cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
