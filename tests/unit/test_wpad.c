/* Where WPAD looks, and above all where it does not: whoever has that name would have all requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "source/wpad.h"

static void looks_only_in_the_machines_domains(void **state)
{
    static const struct {
        const char *resolv_conf, *machine, *hosts;
    } cases[] = {
        {"search corp.example\n", "", "wpad.corp.example. "},
        {"nameserver 192.0.2.1\nsearch a.corp.example corp.example\n", "",
         "wpad.a.corp.example. wpad.corp.example. "},
        {"search a.b.c.corp.example", "", "wpad.a.b.c.corp.example. "}, /* none above */
        {"search corp.example.\n", "", "wpad.corp.example. "},
        {"search corp.example CORP.example\n", "", "wpad.corp.example. "},
        {"search\tcorp.example\r\n", "", "wpad.corp.example. "},
        {"domain corp.example more.example\n", "", "wpad.corp.example. "},
        {"domain a.example\nsearch b.example\n", "", "wpad.b.example. "},
        {"search b.example\ndomain a.example\n", "", "wpad.a.example. "},
        {"search com\n", "", ""},
        {"search corp\n", "", ""},
        {"search .\n", "me.corp.example", ""},
        {"search .. .com com. a..b 1.2.3.4 -a.example a-.example a.ex%41mple a.b/c x@a.example\n", "", ""},
        {"#search corp.example\n;search corp.example\n searching corp.example\n", "", ""},
        {"", "me.corp.example", "wpad.corp.example. "},
        {"nameserver 192.0.2.1\n", "me.example", ""},
        {"", "me", ""},
        {"", "", ""},
        {"search\n", "me.corp.example", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *hosts[WPAD_DOMAINS];
        struct buf all = {0};
        size_t n = wpad_hosts(span_str(cases[i].resolv_conf), span_str(cases[i].machine), hosts);
        for (size_t k = 0; k < n; k++) {
            buf_addf(&all, "%s ", hosts[k]);
            free(hosts[k]);
        }
        if (strcmp(buf_cstr(&all), cases[i].hosts) != 0)
            fail_msg("%s (%s): %s", cases[i].resolv_conf, cases[i].machine, buf_cstr(&all));
        buf_free(&all);
    }
}

static void has_a_ceiling(void **state)
{
    char *hosts[WPAD_DOMAINS];
    struct buf text = {0};
    (void)state;
    buf_add_str(&text, "search");
    for (int i = 0; i < 100; i++)
        buf_addf(&text, " d%d.example", i);
    size_t n = wpad_hosts(buf_span(&text), SPAN(""), hosts);
    assert_int_equal(n, WPAD_DOMAINS);
    for (size_t i = 0; i < n; i++)
        free(hosts[i]);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_only_in_the_machines_domains),
        cmocka_unit_test(has_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
