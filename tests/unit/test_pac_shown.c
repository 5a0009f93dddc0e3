/* What of a request a PAC script gets to see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "helpers/pac_shown.h"

static void test_rows(void **state)
{
    (void)state;
    static const struct {
        const char *scheme, *host;
        uint16_t port;
        const char *url, *shown;
    } rows[] = {
        {"http", "a.example", 80, "", "http://a.example/"},
        {"http", "a.example", 80, "http://a.example", "http://a.example/"},
        {"http", "a.example", 80, "http://a.example/p/q?r=s#t", "http://a.example/p/q?r=s"},
        {"http", "a.example", 80, "http://a.example?r=s", "http://a.example/?r=s"},
        {"http", "a.example", 8080, "http://a.example:8080/p", "http://a.example:8080/p"},
        {"http", "a.example", 80, "http://alice:Sesame@a.example/p", "http://a.example/p"},
        {"http", "A.Example", 80, "http://A.Example/P", "http://a.example/P"},
        {"http", "a.example", 80, "http://other.example/p",
         "http://a.example/p"}, /* the host is the one that was checked */
        {"http", "a.example", 80, "/p", "http://a.example/"},
        {"http", "a.example", 80, "http://a.example/#?x", "http://a.example/"},
        {"https", "a.example", 443, "", "https://a.example/"},
        {"https", "a.example", 443, "https://a.example/secret?token=1", "https://a.example/"},
        {"HTTPS", "a.example", 22, "", "https://a.example:22/"},
        {"https", "a.example", 80, "", "https://a.example:80/"},
        {"wss", "a.example", 443, "wss://a.example/chat", "wss://a.example/"},
        {"ftp", "a.example", 21, "ftp://a.example/file", "ftp://a.example/"},
        {"other", "a.example", 80, "", "other://a.example:80/"},
        {"https", "2001:db8::1", 443, "", "https://[2001:db8::1]/"},
        {"https", "[2001:DB8::1]", 8443, "", "https://[2001:db8::1]:8443/"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = {0};
        assert_true(pac_shown_url(&out, span_str(rows[i].scheme), span_str(rows[i].host), rows[i].port,
                                  span_str(rows[i].url)));
        if (strcmp(buf_cstr(&out), rows[i].shown) != 0)
            fail_msg("row %zu: %s", i, buf_cstr(&out));
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
