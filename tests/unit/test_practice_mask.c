/* What people are shown of heads: nothing that is a secret, a token or a cookie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/practice_mask.h"

static const struct {
    const char *field, *shown;
} cases[] = {
    {"Proxy-Authorization: Basic cHJhY3RpY2U6c2VjcmV0", "Proxy-Authorization: Basic (20 characters)"},
    {"proxy-authorization: negotiate TlRMTVNTUAAB==", "proxy-authorization: negotiate (14 characters)"},
    {"Proxy-Authorization: NTLM TlRMTVNTUAABAAA=", "Proxy-Authorization: NTLM (16 characters)"},
    {"Proxy-Authorization: onlyone", "Proxy-Authorization: onlyone"},
    {"Authorization: Bearer abc.def", "Authorization: Bearer (7 characters)"},
    {"Proxy-Authenticate: Negotiate", "Proxy-Authenticate: Negotiate"},
    {"Proxy-Authenticate: NTLM TlRMTVNTUAACAAAA", "Proxy-Authenticate: NTLM (16 characters)"},
    {"Proxy-Authenticate: Basic realm=\"a, b\", charset=\"UTF-8\"",
     "Proxy-Authenticate: Basic realm=\"a, b\", charset=\"UTF-8\""},
    {"Proxy-Authenticate: Digest realm=\"r\", nonce=\"abcdef\", stale=true, opaque=\"xyz\"",
     "Proxy-Authenticate: Digest realm=\"r\", nonce=(8 characters), stale=true, opaque=(5 characters)"},
    {"Proxy-Authorization: Digest username=\"practice\", realm=\"r\", nonce=\"n\", uri=\"/\", "
     "response=\"0123\", "
     "cnonce=\"c\", nc=00000001, qop=auth",
     "Proxy-Authorization: Digest username=\"practice\", realm=\"r\", nonce=(3 characters), uri=\"/\", "
     "response=(6 characters), cnonce=(3 characters), nc=00000001, qop=auth"},
    {"Cookie: session=1; other=2", "Cookie: (18 characters)"},
    {"Set-Cookie: session=1", "Set-Cookie: (9 characters)"},
    {"X-Other: Basic cHJhY3RpY2U6c2VjcmV0", "X-Other: Basic cHJhY3RpY2U6c2VjcmV0"},
};

static void test_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf text = {0}, shown = {0}, expected = {0};
        struct head h;
        struct fault fault;
        buf_addf(&text, "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n%s\r\n\r\n", cases[i].field);
        assert_true(head_read_request(&h, buf_span(&text), &head_limits_default, &fault));
        practice_mask(&shown, &h, "> ");
        buf_addf(&expected, "> GET http://a.example/ HTTP/1.1\n> Host: a.example\n> %s\n", cases[i].shown);
        assert_string_equal(buf_cstr(&shown), buf_cstr(&expected));
        head_free(&h);
        buf_free(&text);
        buf_free(&shown);
        buf_free(&expected);
    }
}

static void test_answers(void **state)
{
    (void)state;
    struct buf shown = {0};
    struct head h;
    struct fault fault;
    assert_true(head_read_response(
        &h, SPAN("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"),
        &head_limits_default, false, &fault));
    practice_mask(&shown, &h, "");
    assert_string_equal(buf_cstr(&shown), "HTTP/1.1 407 Proxy Authentication Required\nContent-Length: 0\n");
    head_free(&h);
    buf_free(&shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
