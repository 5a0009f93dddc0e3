/* The desktop's proxies as what a PAC script would return: which proxy for which scheme, and the exceptions as desktops mean them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "route/manual.h"

static void result(const struct manual *m, const char *scheme, const char *host, uint16_t port,
                   const char *expected)
{
    struct buf out = {0};
    manual_result(m, span_str(scheme), span_str(host), port, &out);
    assert_string_equal(buf_cstr(&out), expected);
    buf_free(&out);
}

static void test_which_proxy(void **state)
{
    (void)state;
    static const struct {
        struct pac_manual settings;
        const char *http, *https;
    } rows[] = {
        {{.http = {"a.example", 80, false}, .https = {"b.example", 443, true}},
         "PROXY a.example:80",
         "HTTPS b.example:443"},
        {{.http = {"::1", 80, false}}, "PROXY [::1]:80", "DIRECT"},
        {{.http = {"a", 1, false}, .socks = {"s", 1080, false}}, "PROXY a:1", "SOCKS5 s:1080"},
        {{.socks = {"s", 1080, false}}, "SOCKS5 s:1080", "SOCKS5 s:1080"},
        {{.https = {"b", 1, false}}, "DIRECT", "PROXY b:1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pac_manual settings = rows[i].settings;
        settings.from = "the settings";
        struct manual *m = manual_new(&settings);
        result(m, "http", "www.example", 80, rows[i].http);
        result(m, "https", "www.example", 443, rows[i].https);
        assert_string_equal(manual_from(m), "the settings");
        manual_free(m);
    }
}

static void test_exceptions(void **state)
{
    (void)state;
    static const char *const ignore[] = {"corp.example", ".dot.example", "*.star.example",    "10.0.0.0/8",
                                         "<local>",      "::1",          "port.example:8080", "no good/x"};
    static const struct {
        const char *host;
        uint16_t port;
        bool direct;
    } rows[] = {
        {"corp.example", 80, true},
        {"www.CORP.example", 80, true},
        {"xcorp.example", 80, false},
        {"dot.example", 80, true},
        {"a.dot.example", 80, true},
        {"star.example", 80, true},
        {"a.b.star.example", 80, true},
        {"10.1.2.3", 80, true},
        {"11.1.2.3", 80, false},
        {"wiki", 80, true},
        {"::1", 80, true},
        {"port.example", 80, false},
        {"port.example", 8080, true},
        {"a.port.example", 8080, true},
        {"www.example", 80, false},
    };
    for (int reversed = 0; reversed < 2; reversed++) {
        struct pac_manual settings = {.http = {"p", 1, false},
                                      .ignore = ignore,
                                      .n_ignore = sizeof ignore / sizeof *ignore,
                                      .ignore_all_else = reversed,
                                      .from = "the settings"};
        struct manual *m = manual_new(&settings);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            result(m, "http", rows[i].host, rows[i].port,
                   rows[i].direct != (reversed == 1) ? "DIRECT" : "PROXY p:1");
        manual_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_proxy),
        cmocka_unit_test(test_exceptions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
