/* What people are shown of heads: nothing that is a secret, a token or a cookie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/practice_mask.h"
#include "cli/practice_words.h"

static const struct {
    const char *field, *shown;
} cases[] = {
    {"Proxy-Authorization: Basic cHJhY3RpY2U6c2VjcmV0", "Proxy-Authorization: Basic (20 characters)"},
    {"proxy-authorization: negotiate TlRMTVNTUAAB==", "proxy-authorization: negotiate (14 characters)"},
    {"Proxy-Authorization: NTLM TlRMTVNTUAABAAA=", "Proxy-Authorization: NTLM (16 characters)"},
    {"Proxy-Authorization: onlyone", "Proxy-Authorization: (7 characters)"},
    {"Authorization: token abcdef", "Authorization: (12 characters)"},
    {"Authorization: Basic dXNlcjpw=secret", "Authorization: Basic (15 characters)"},
    {"Proxy-Authenticate: Basic realm=\"r\", Negotiate TlRMTVNTUAACAAAA==",
     "Proxy-Authenticate: Basic realm=\"r\", (28 characters)"},
    {"Authorization: Digest nc=1, token=\"abc\"", "Authorization: Digest nc=1, (11 characters)"},
    {"Authorization: Digest realm=\"r\" abc", "Authorization: Digest realm=(7 characters)"},
    {"Authorization: Digest uri=\"http://u:p@a.example/x?k=v\", realm=unquoted",
     "Authorization: Digest uri=\"http://(3 characters)@a.example/x?(3 characters)\", realm=unquoted"},
    {"Proxy-Authentication-Info: rspauth=\"0123\", qop=auth", "Proxy-Authentication-Info: (24 characters)"},
    {"X-Token: abc", "X-Token: (3 characters)"},
    {"X-Api-Key: a", "X-Api-Key: (1 character)"},
    {"Location: https://alice:secret@a.example/b?token=c#d",
     "Location: https://(12 characters)@a.example/b?(9 characters)"},
    {"Location: /path#state=1", "Location: /path#(7 characters)"},
    {"Referer: http://a@b@a.example", "Referer: http://(3 characters)@a.example"},
    {"Referer: http://a.example/b@c", "Referer: http://a.example/b@c"},
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
    {"X-Other: Basic cHJhY3RpY2U6c2VjcmV0", "X-Other: (26 characters)"},
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
        practice_mask(&shown, &h, "> ", false);
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
    practice_mask(&shown, &h, "", false);
    assert_string_equal(buf_cstr(&shown), "HTTP/1.1 407 Proxy Authentication Required\nContent-Length: 0\n");
    head_free(&h);
    buf_free(&shown);
}

static const struct {
    const char *start, *shown;
} targets[] = {
    {"GET http://alice:secret@a.example/b?c=d HTTP/1.1",
     "GET http://(12 characters)@a.example/b?(3 characters) HTTP/1.1"},
    {"GET ftp://a.example/b HTTP/1.1", "GET ftp://a.example/b HTTP/1.1"},
    {"CONNECT a.example:443 HTTP/1.1", "CONNECT a.example:443 HTTP/1.1"},
    {"CONNECT u:p@a.example:443 HTTP/1.1", "CONNECT (3 characters)@a.example:443 HTTP/1.1"},
    {"OPTIONS * HTTP/1.1", "OPTIONS * HTTP/1.1"},
    {"GET /a?b//c@d HTTP/1.0", "GET /a?(6 characters) HTTP/1.0"},
    {"GET ? HTTP/1.1", "GET ?(0 characters) HTTP/1.1"},
};

static void test_targets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct buf text = {0}, shown = {0}, expected = {0};
        struct head h;
        struct fault fault;
        buf_addf(&text, "%s\r\nHost: a.example\r\n\r\n", targets[i].start);
        if (!head_read_request(&h, buf_span(&text), &head_limits_default, &fault))
            fail_msg("%s: %s", targets[i].start, fault.why);
        practice_mask(&shown, &h, "", true);
        buf_addf(&expected, "%s\nHost: a.example\n", targets[i].shown);
        assert_string_equal(buf_cstr(&shown), buf_cstr(&expected));
        head_free(&h);
        buf_free(&text);
        buf_free(&shown);
        buf_free(&expected);
    }
}

/* What is said of each, and challenges in short. */
static const struct {
    const char *head, *words, *shown;
} answers[] = {
    {"HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\nContent-Length: 0\r\n"
     "Proxy-Authenticate: Digest nonce=\"n\"\r\nProxy-Authenticate: Digest "
     "nonce=\"n\"\r\nProxy-Authenticate: odd\r\n\r\n",
     "no; sign in by one of these",
     "HTTP/1.1 407 No\nProxy-Authenticate: Negotiate, NTLM, Digest, (3 characters) (in "
     "short)\nContent-Length: 0\n"},
    {"HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM TlRM\r\n\r\n",
     "not yet; a challenge, to be answered on this connection",
     "HTTP/1.1 407 No\nProxy-Authenticate: NTLM (4 characters)\n"},
    {"HTTP/1.1 407 No\r\n\r\n", "no; sign in by one of these", "HTTP/1.1 407 No\n"},
    {"HTTP/1.1 100 Continue\r\n\r\n", "go on", "HTTP/1.1 100 Continue\n"},
    {"HTTP/1.1 302 Found\r\n\r\n", "let through", "HTTP/1.1 302 Found\n"},
    {"HTTP/1.1 502 Bad Gateway\r\n\r\n", "an error", "HTTP/1.1 502 Bad Gateway\n"},
};

static void test_words_of_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct buf shown = {0};
        struct head h;
        struct fault fault;
        assert_true(head_read_response(&h, span_str(answers[i].head), &head_limits_default, false, &fault));
        practice_mask(&shown, &h, "", true);
        assert_string_equal(buf_cstr(&shown), answers[i].shown);
        assert_string_equal(practice_words(&h), answers[i].words);
        head_free(&h);
        buf_free(&shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_words_of_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
