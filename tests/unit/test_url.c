/* URLs that we fetch from: what is one, what a redirect means, what of one may stand in a log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/url.h"

static void reads_parts(void **state)
{
    static const struct {
        const char *text, *host, *path;
        bool tls, ipv6;
        uint16_t port;
    } good[] = {
        {"http://a.example", "a.example", "", false, false, 80},
        {"HTTP://A.example/", "A.example", "/", false, false, 80},
        {"https://a.example/p?q=1#f", "a.example", "/p?q=1", true, false, 443},
        {"http://a.example?q", "a.example", "?q", false, false, 80},
        {"http://a.example:8080/x", "a.example", "/x", false, false, 8080},
        {"http://a.example:/x", "a.example", "/x", false, false, 80},
        {"http://[2001:db8::1]:81/x", "2001:db8::1", "/x", false, true, 81},
        {"http://[::1]", "::1", "", false, true, 80},
        {"http://a.example/x@y", "a.example", "/x@y", false, false, 80},
        {"http://a.example#/x", "a.example", "", false, false, 80},
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct url u;
        assert_null(url_read(&u, span_str(good[i].text)));
        assert_true(span_eq(u.host, span_str(good[i].host)));
        assert_true(span_eq(u.path, span_str(good[i].path)));
        assert_int_equal(u.tls, good[i].tls);
        assert_int_equal(u.ipv6, good[i].ipv6);
        assert_int_equal(u.port, good[i].port);
    }
}

static void refuses(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "is no http"},
        {"ftp://a.example/", "is no http"},
        {"file:///etc/passwd", "is no http"},
        {"http:a.example", "is no http"},
        {"httpx://a.example", "is no http"},
        {"//a.example/", "is no http"},
        {"http://", "no host"},
        {"http:///x", "no host"},
        {"http://user:secret@a.example/", "user name or password"},
        {"http://user@a.example/", "user name or password"},
        {"http://a b/", "no host"},
        {"http://a_%41/", "no host"},
        {"http://[::1/", "no host"},
        {"http://[::1]x/", "no host"},
        {"http://[fe80::1%25eth0]/", "no host"},
        {"http://-a/", "no host"},
        {"http://a:0/", "port"},
        {"http://a:65536/", "port"},
        {"http://a:8x/", "port"},
        {"http://a/a b", "blank"},
        {"http://a/\r\nX: y", "blank"},
        {"http://a/\xc3\xa4", "blank"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct url u;
        const char *why = url_read(&u, span_str(bad[i].text));
        if (!why || !strstr(why, bad[i].why))
            fail_msg("%s: %s", bad[i].text, why ? why : "(taken)");
        assert_null(strstr(why, "secret"));
    }
    struct buf long_one = {0};
    struct url u;
    buf_add_str(&long_one, "http://a/");
    while (long_one.n <= 8192)
        buf_add_str(&long_one, "xxxxxxxxxxxxxxxx");
    assert_non_null(url_read(&u, buf_span(&long_one)));
    buf_free(&long_one);
}

static void resolves_references(void **state)
{
    static const char base[] = "http://a.example:81/b/c/d?q";
    static const struct {
        const char *reference, *result;
    } cases[] = {
        {"https://o.example/x", "https://o.example/x"},
        {"file:///etc/passwd", "file:///etc/passwd"},
        {"//o.example/x", "http://o.example/x"},
        {"/x", "http://a.example:81/x"},
        {"x", "http://a.example:81/b/c/x"},
        {"x/y:z", "http://a.example:81/b/c/x/y:z"},
        {"./x", "http://a.example:81/b/c/x"},
        {"../x", "http://a.example:81/b/x"},
        {"../../../../x", "http://a.example:81/x"},
        {"/../x/./y/..", "http://a.example:81/x/"},
        {".", "http://a.example:81/b/c/"},
        {"..", "http://a.example:81/b/"},
        {"?r", "http://a.example:81/b/c/d?r"},
        {"", "http://a.example:81/b/c/d?q"},
        {"#f", "http://a.example:81/b/c/d?q"},
        {"x?y#f", "http://a.example:81/b/c/x?y"},
        {"x?../y", "http://a.example:81/b/c/x?../y"},
    };
    struct buf out = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        url_resolve(span_str(base), span_str(cases[i].reference), &out);
        assert_string_equal(buf_cstr(&out), cases[i].result);
    }
    url_resolve(SPAN("https://a.example"), SPAN("x"), &out);
    assert_string_equal(buf_cstr(&out), "https://a.example/x");
    url_resolve(SPAN("https://a.example?q"), SPAN("x"), &out);
    assert_string_equal(buf_cstr(&out), "https://a.example/x");
    buf_free(&out);
}

static void hides_the_query(void **state)
{
    struct buf out = {0};
    (void)state;
    url_shown(SPAN("http://a.example/p?token=secret"), &out);
    assert_string_equal(buf_cstr(&out), "http://a.example/p?...");
    buf_clear(&out);
    url_shown(SPAN("http://a.example/p#f?x"), &out);
    assert_string_equal(buf_cstr(&out), "http://a.example/p");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_parts),
        cmocka_unit_test(refuses),
        cmocka_unit_test(resolves_references),
        cmocka_unit_test(hides_the_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
