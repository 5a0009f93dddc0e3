/*
 * What a SOCKS5 server says, whole and byte by byte, and what is none of it. Each message stands at the end of its memory, so that a sanitizer sees who reads on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "upstream/socks_reply.h"

typedef enum socks_said (*reader)(struct span *in, unsigned *value, const char **why);

/* The outcome for the first `n` bytes; what is left over goes to *left. */
static enum socks_said read_first(reader r, struct span bytes, size_t n, unsigned *value, size_t *left,
                                  const char **why)
{
    char *copy = malloc(n + !n);
    memcpy(copy, bytes.p, n);
    struct span in = span_make(copy, n);
    enum socks_said said = r(&in, value, why);
    *left = in.n;
    free(copy);
    return said;
}

/* More at each byte before `n`, then the value. */
static void whole(reader r, struct span bytes, size_t n, unsigned expected)
{
    unsigned value = 999;
    const char *why = NULL;
    size_t left;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(read_first(r, bytes, i, &value, &left, &why), SOCKS_SAID_MORE);
        assert_int_equal(left, i);
    }
    for (size_t i = n; i <= bytes.n; i++) {
        assert_int_equal(read_first(r, bytes, i, &value, &left, &why), SOCKS_SAID);
        assert_int_equal(value, expected);
        if (expected == 0 || r != socks_read_reply)
            assert_int_equal(left, i - n);
    }
    assert_null(why);
}

/* Bad at byte `n`, and not before. */
static void bad(reader r, struct span bytes, size_t n, const char *words)
{
    unsigned value;
    const char *why = NULL;
    size_t left;
    for (size_t i = 0; i < n; i++)
        assert_int_equal(read_first(r, bytes, i, &value, &left, &why), SOCKS_SAID_MORE);
    for (size_t i = n; i <= bytes.n; i++) {
        assert_int_equal(read_first(r, bytes, i, &value, &left, &why), SOCKS_SAID_BAD);
        assert_non_null(strstr(why, words));
    }
}

static void methods(void **state)
{
    (void)state;
    whole(socks_read_method, SPAN("\5\0"), 2, SOCKS_NO_AUTHENTICATION);
    whole(socks_read_method, SPAN("\5\2rest"), 2, SOCKS_USER_AND_PASSWORD);
    whole(socks_read_method, SPAN("\5\xff"), 2, SOCKS_NO_METHOD);
    bad(socks_read_method, SPAN("HTTP/1.1 400 Bad Request\r\n"), 1, "HTTP");
    bad(socks_read_method, SPAN("\0\x5b"), 1, "SOCKS 4");
    bad(socks_read_method, SPAN("\4\x5b"), 1, "SOCKS 4");
    bad(socks_read_method, SPAN("\x15\3\1"), 1, "SOCKS 5");
}

static void statuses(void **state)
{
    (void)state;
    whole(socks_read_status, SPAN("\1\0"), 2, 0);
    whole(socks_read_status, SPAN("\1\1"), 2, 1);
    whole(socks_read_status, SPAN("\1\xff"), 2, 255);
    whole(socks_read_status, SPAN("\5\0"), 2, 0);
    bad(socks_read_status, SPAN("\0\0"), 1, "RFC 1929");
    bad(socks_read_status, SPAN("\2\0"), 1, "RFC 1929");
}

static void replies(void **state)
{
    (void)state;
    struct buf named = {0};
    whole(socks_read_reply, SPAN("\5\0\0\1\x7f\0\0\1\0\x50SSH-2.0"), 10, 0);
    whole(socks_read_reply, SPAN("\5\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\x50+"), 22, 0);
    whole(socks_read_reply, SPAN("\5\0\xff\3\0\0\0"), 7, 0);
    whole(socks_read_reply, SPAN("\5\0\0\3\3abc\0\0early"), 10, 0);
    buf_add_span(&named, SPAN("\5\0\0\3\xff"));
    for (int i = 0; i < 257; i++)
        buf_add(&named, "x", 1);
    assert_int_equal(named.n, SOCKS_REPLY_MOST);
    whole(socks_read_reply, buf_span(&named), SOCKS_REPLY_MOST, 0);
    buf_free(&named);
    for (unsigned code = 1; code < 256; code++) { /* whatever stands behind it */
        char text[] = {5, (char)code, 0, 9, 1};
        whole(socks_read_reply, span_make(text, sizeof text), 2, code);
    }
    bad(socks_read_reply, SPAN("\5\0\0\2\0\0\0\0\0\0"), 5, "does not exist");
    bad(socks_read_reply, SPAN("\5\0\0\0\0\0\0\0\0\0"), 5, "does not exist");
    bad(socks_read_reply, SPAN("\5\0\0\xff\0\0\0\0\0\0"), 5, "does not exist");
    bad(socks_read_reply, SPAN("\4\0"), 1, "SOCKS 4");
    bad(socks_read_reply, SPAN("H"), 1, "HTTP");
}

static void says(struct span host, uint16_t port, struct span expected)
{
    struct buf out = {0};
    assert_true(socks_write_connect(&out, host, port));
    assert_memory_equal(out.p, expected.p, expected.n);
    assert_int_equal(out.n, expected.n);
    buf_free(&out);
}

static void requests(void **state)
{
    (void)state;
    struct buf out = {0};
    char name[256];
    memset(name, 'x', sizeof name);
    says(SPAN("site.example"), 443, SPAN("\5\1\0\3\x0csite.example\x01\xbb"));
    says(SPAN("192.0.2.7"), 80, SPAN("\5\1\0\1\xc0\0\2\7\0\x50"));
    says(SPAN("2001:db8::7"), 22, SPAN("\5\1\0\4\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7\0\x16"));
    assert_false(socks_write_connect(&out, SPAN(""), 80));
    assert_false(socks_write_connect(&out, span_make(name, 256), 80));
    assert_int_equal(out.n, 0);
    assert_true(socks_write_connect(&out, span_make(name, 255), 80));
    assert_int_equal(out.n, 4 + 1 + 255 + 2);
    assert_int_equal((unsigned char)out.p[4], 255);
    buf_clear(&out);
    socks_write_greeting(&out, false);
    assert_true(span_eq(buf_span(&out), SPAN("\5\1\0")));
    buf_clear(&out);
    socks_write_greeting(&out, true);
    assert_true(span_eq(buf_span(&out), SPAN("\5\2\0\2")));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(methods), cmocka_unit_test(statuses),
                                       cmocka_unit_test(replies), cmocka_unit_test(requests)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
