/* What PAC scripts return: documented forms, what is met in the wild, and junk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "route/pac_result.h"

/* The places as text: "PROXY a:80|DIRECT". */
static void write_places(const struct pac_result *r, struct buf *out)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct pac_place *p = &r->places[i];
        buf_addf(out, "%s%s", i ? "|" : "", pac_place_name(p->kind));
        if (p->kind != PAC_PLACE_DIRECT)
            buf_addf(out, " %.*s:%u", SPAN_ARG(p->host), p->port);
    }
}

static void test_rows(void **state)
{
    (void)state;
    static const struct {
        const char *text, *places;
        const char *note; /* NULL: none */
    } rows[] = {
        {"DIRECT", "DIRECT", NULL},
        {"direct", "DIRECT", NULL},
        {"PROXY a.example:8080", "PROXY a.example:8080", NULL},
        {"PROXY a.example:8080; PROXY b.example:8081; DIRECT",
         "PROXY a.example:8080|PROXY b.example:8081|DIRECT", NULL},
        {"PROXY a;SOCKS b;SOCKS4 c;SOCKS5 d;HTTP e;HTTPS f",
         "PROXY a:80|SOCKS b:1080|SOCKS4 c:1080|SOCKS5 d:1080|PROXY e:80|HTTPS f:443", NULL},
        {"  PROXY \t a:1  ;;  ; DIRECT ; ", "PROXY a:1|DIRECT", NULL},
        {"PROXY a:1;\r\nPROXY b:2", "PROXY a:1|PROXY b:2", NULL},
        {"proxy A.Example:1", "PROXY A.Example:1", NULL},
        {"PROXY 192.0.2.1:3128", "PROXY 192.0.2.1:3128", NULL},
        {"PROXY [2001:db8::1]:3128", "PROXY 2001:db8::1:3128", NULL},
        {"PROXY [2001:db8::1]", "PROXY 2001:db8::1:80", NULL},
        {"PROXY 2001:db8::1", "PROXY 2001:db8::1:80", NULL},
        {"PROXY http://a.example:8080/", "PROXY a.example:8080", NULL},
        {"HTTPS https://a.example", "HTTPS a.example:443", NULL},
        {"PROXY https://a.example", "", "skipped"},
        {"PROXY _srv.a-b.example:65535", "PROXY _srv.a-b.example:65535", NULL},
        {"", "DIRECT", "empty"},
        {" ; ;", "DIRECT", "empty"},
        {"a.example:8080", "", "first word"},
        {"QUIC a:443; PROXY b:1", "PROXY b:1", "QUIC"},
        {"PROXY", "", "names no host"},
        {"PROXY ; DIRECT", "DIRECT", "names no host"},
        {"PROXY a:0", "", "port"},
        {"PROXY a:65536", "", "port"},
        {"PROXY a:", "", "port"},
        {"PROXY a:80x", "", "port"},
        {"PROXY a:80:81", "", "port"},
        {"PROXY a:80 b:81", "", "port"},
        {"PROXY a b", "", "host"},
        {"PROXY a/b", "", "host"},
        {"PROXY .a", "", "host"},
        {"PROXY -a", "", "host"},
        {"PROXY :80", "", "host"},
        {"PROXY [::1", "", "address"},
        {"PROXY [::1]x", "", "address"},
        {"PROXY [a]:80", "", "address"},
        {"PROXY \xc3\xa4.example", "", "host"},
        {"DIRECT a", "", "follows DIRECT"},
        {"DIRECT,PROXY a:1", "", "first word"},
        {"PROXY a:1\nThe entry \"x\" is skipped: y.", "", "?The entry"}, /* no line of its own */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pac_result r;
        struct buf places = {0};
        pac_result_read(&r, span_str(rows[i].text));
        write_places(&r, &places);
        if (strcmp(buf_cstr(&places), rows[i].places) != 0)
            fail_msg("row %zu: %s: %s", i, rows[i].text, buf_cstr(&places));
        if (!rows[i].note != (r.notes.n == 0) || (rows[i].note && !strstr(buf_cstr(&r.notes), rows[i].note)))
            fail_msg("row %zu: %s: the note is: %s", i, rows[i].text, buf_cstr(&r.notes));
        buf_free(&places);
        pac_result_free(&r);
    }
}

/* A result brings no credentials along, and its notes do not spread them. */
static void test_no_credentials(void **state)
{
    (void)state;
    static const char *const texts[] = {"PROXY alice:Sesame@a.example:80",
                                        "PROXY http://alice:Sesame@a.example:80/", "PROXY alice@a.example"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct pac_result r;
        pac_result_read(&r, span_str(texts[i]));
        assert_int_equal(r.n, 0);
        assert_true(r.notes.n > 0);
        assert_null(strstr(buf_cstr(&r.notes), "Sesame"));
        assert_null(strstr(buf_cstr(&r.notes), "alice"));
        pac_result_free(&r);
    }
}

static void test_many(void **state)
{
    (void)state;
    struct buf text = {0};
    struct pac_result r;
    for (size_t i = 0; i < 10000; i++)
        buf_add_str(&text, "PROXY a:1;");
    pac_result_read(&r, buf_span(&text));
    assert_int_equal(r.n, PAC_PLACES_MAX);
    assert_non_null(strstr(buf_cstr(&r.notes), "behind the first 64"));
    pac_result_free(&r);
    buf_clear(&text);
    for (size_t i = 0; i < 10000; i++)
        buf_add_str(&text, "JUNK;");
    pac_result_read(&r, buf_span(&text));
    assert_int_equal(r.n, 0); /* junk alone is not permission to go direct */
    assert_true(r.notes.n < 8192);
    pac_result_free(&r);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_no_credentials),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
