/* The rules for routes: each kind of pattern against the hosts it must and must not take, ports, the first entry that matches, and the
   sentence for entries that cannot be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "route/rules.h"

static bool read_entries(struct rules *r, const char *const *entries, size_t n, struct err *e)
{
    char *copies[8];
    assert_true(n <= 8);
    for (size_t i = 0; i < n; i++)
        copies[i] = (char *)(uintptr_t)entries[i];
    struct config c = {.no_proxy = copies, .n_no_proxy = n};
    return rules_read(r, &c, e);
}

static struct rules rules(const char *const *entries, size_t n)
{
    struct err e = {0};
    struct rules r;
    if (!read_entries(&r, entries, n, &e))
        fail_msg("refused: %s", e.text);
    return r;
}

/* The pattern that matches, or NULL. */
static const char *match(const struct rules *r, struct span host, uint16_t port)
{
    const struct rule *rule = rules_match(r, host, port);
    return rule ? rule->pattern.text : NULL;
}

static const struct {
    const char *entry, *host;
    uint16_t port;
    bool direct;
} cases[] = {
    /* a name is that name alone, in any letter case, rooted or not */
    {"intranet", "intranet", 80, true},
    {"intranet", "INTRANET", 80, true},
    {"Intranet.Example", "intranet.example.", 80, true},
    {"intranet.example", "www.intranet.example", 80, false},
    {"intranet.example", "xintranet.example", 80, false},
    {"intranet", "intranet2", 80, false},
    {"intranet", "", 80, false},
    {"intranet", ".", 80, false},
    /* a suffix with its dot: everything below, and the name itself */
    {".corp.example", "www.corp.example", 80, true},
    {".corp.example", "a.b.corp.EXAMPLE", 80, true},
    {".corp.example", "corp.example", 80, true},
    {".corp.example", "corp.example.", 80, true},
    {".corp.example", "www.corp.example.", 80, true},
    {".corp.example", "evilcorp.example", 80, false},
    {".corp.example", "www.corp.example.evil.test", 80, false},
    {".corp.example", "example", 80, false},
    /* patterns */
    {"*.corp.example", "www.corp.example", 80, true},
    {"*.corp.example", "www.corp.example.", 80, true},
    {"*.corp.example", "corp.example", 80, false},
    {"*.corp.example", "evilcorp.example", 80, false},
    {"build-*", "build-7", 80, true},
    {"build-*", "build-", 80, true},
    {"build-*", "xbuild-7", 80, false},
    {"*build*", "a-BUILD-7.example", 80, true},
    {"a*b*c", "aXbYc", 80, true},
    {"a*b*c", "abcbc", 80, true},
    {"a*b*c", "aXbY", 80, false},
    {"a**c", "ac", 80, true},
    {"*", "anything.example", 443, true},
    {"*", "192.0.2.1", 443, true},
    {"*", "::1", 443, true},
    {"192.168.*", "192.168.7.7", 80, true},
    {"192.168.*", "192.169.7.7", 80, false},
    /* addresses and networks, IPv4 */
    {"192.0.2.1", "192.0.2.1", 80, true},
    {"192.0.2.1", "192.0.2.10", 80, false},
    {"192.0.2.1", "::ffff:192.0.2.1", 80, true},
    {"::ffff:192.0.2.1", "192.0.2.1", 80, true},
    {"10.0.0.0/8", "10.255.0.1", 80, true},
    {"10.0.0.0/8", "11.0.0.1", 80, false},
    {"10.0.0.0/8", "::ffff:10.1.2.3", 80, true},
    {"10.0.0.0/8", "10.example", 80, false},
    {"192.168.128.0/17", "192.168.128.0", 80, true},
    {"192.168.128.0/17", "192.168.255.255", 80, true},
    {"192.168.128.0/17", "192.168.127.255", 80, false},
    {"192.0.2.4/30", "192.0.2.7", 80, true},
    {"192.0.2.4/30", "192.0.2.8", 80, false},
    {"192.0.2.5/30", "192.0.2.6", 80, true}, /* bits behind the prefix do not count */
    {"192.0.2.9/32", "192.0.2.9", 80, true},
    {"192.0.2.9/32", "192.0.2.8", 80, false},
    {"0.0.0.0/0", "203.0.113.9", 80, true},
    {"0.0.0.0/0", "2001:db8::1", 80, false},
    {"0.0.0.0/0", "name.example", 80, false},
    /* and IPv6 */
    {"::1", "::1", 80, true},
    {"[::1]", "::1", 80, true},
    {"::1", "0:0:0:0:0:0:0:1", 80, true},
    {"::1", "::2", 80, false},
    {"fd00::/8", "fdff:1::9", 80, true},
    {"fd00::/8", "fe00::1", 80, false},
    {"[fd00::]/8", "fd00::1", 80, true},
    {"2001:db8::/33", "2001:db8:7fff::1", 80, true},
    {"2001:db8::/33", "2001:db8:8000::1", 80, false},
    {"2001:db8::1/128", "2001:db8::1", 80, true},
    {"2001:db8::1/128", "2001:db8::3", 80, false},
    {"::/0", "2001:db8::1", 80, true},
    {"::/0", "192.0.2.1", 80, false},
    /* ports */
    {"intranet:8080", "intranet", 8080, true},
    {"intranet:8080", "intranet", 80, false},
    {".corp.example:443", "www.corp.example", 443, true},
    {".corp.example:443", "www.corp.example", 80, false},
    {"*:22", "anything.example", 22, true},
    {"*:22", "anything.example", 443, false},
    {"192.0.2.1:8080", "192.0.2.1", 8080, true},
    {"192.0.2.1:8080", "192.0.2.1", 8081, false},
    {"[2001:db8::1]:8080", "2001:db8::1", 8080, true},
    {"[2001:db8::1]:8080", "2001:db8::1", 80, false},
    {"x:65535", "x", 65535, true},
    {"10.0.0.0/8:443", "10.1.2.3", 443, true},
    {"10.0.0.0/8:443", "10.1.2.3", 80, false},
    {"fd00::/8:443", "fd00::1", 443, true},
    {"fd00::/8:443", "fd00::1", 80, false},
    {"[fd00::]/8:443", "fd00::1", 443, true},
    {"[fd00::]/8:443", "fd00::1", 80, false},
    {"[fd00::/8]:443", "fd00::1", 443, true},
    {"[fd00::/8]:443", "fd00::1", 80, false},
    {"[fd00::/8]", "fdff::1", 80, true},
    /* the rooted form */
    {"corp.example.", "corp.example", 80, true},
    {"corp.example.", "corp.example.", 80, true},
    {"corp.example.:80", "corp.example", 80, true},
    {".corp.example.", "www.corp.example", 80, true},
    {"*.example.", "www.example", 80, true},
    /* names without a dot */
    {"<local>", "wiki", 80, true},
    {"<LOCAL>", "wiki", 80, true},
    {"<local>", "wiki.", 80, true},
    {"<local>", "wiki.example", 80, false},
    {"<local>", "::1", 80, false}, /* no dot, but no name either */
    {"<local>", "127.0.0.1", 80, false},
};

static void test_each_entry(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rules b = rules(&cases[i].entry, 1);
        const char *found = match(&b, span_str(cases[i].host), cases[i].port);
        if ((found != NULL) != cases[i].direct)
            fail_msg("%s, %s:%u: %s", cases[i].entry, cases[i].host, cases[i].port,
                     found ? "direct" : "through the proxy");
        if (found)
            assert_string_equal(found, cases[i].entry);
        rules_free(&b);
    }
}

static void test_the_first_that_matches_is_told(void **state)
{
    (void)state;
    static const char *const entries[] = {"a.example:8080", ".example", "a.example", "10.0.0.0/8"};
    struct rules b = rules(entries, 4);
    assert_string_equal(match(&b, SPAN("a.example"), 8080), "a.example:8080");
    assert_string_equal(match(&b, SPAN("a.example"), 80), ".example");
    assert_string_equal(match(&b, SPAN("10.9.9.9"), 80), "10.0.0.0/8");
    assert_null(match(&b, SPAN("a.test"), 80));
    rules_free(&b);
}

static void test_no_rules(void **state)
{
    (void)state;
    struct rules b = rules(NULL, 0);
    assert_null(match(&b, SPAN("a.example"), 80));
    rules_free(&b);
}

/* The host is a view: nothing behind its end may be looked at. */
static void test_host_is_a_view(void **state)
{
    (void)state;
    static const char *const entries[] = {"192.0.2.1"};
    struct rules b = rules(entries, 1);
    char text[] = {'1', '9', '2', '.', '0', '.', '2', '.', '1', '0', '0'};
    assert_string_equal(match(&b, span_make(text, 9), 80), "192.0.2.1");
    assert_null(match(&b, span_make(text, 11), 80));
    rules_free(&b);
}

/* A long host of one letter against many stars must not take longer than its square. */
static void test_stars_against_a_long_host(void **state)
{
    (void)state;
    static const char *const entries[] = {"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"};
    struct rules b = rules(entries, 1);
    static char host[20000];
    memset(host, 'a', sizeof host);
    assert_null(match(&b, span_make(host, sizeof host), 80));
    host[sizeof host - 1] = 'b';
    assert_non_null(match(&b, span_make(host, sizeof host), 80));
    rules_free(&b);
}

static void test_bad_entries(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ":80",
        "a:",
        "a:0",
        "a:65536",
        "a:x",
        "a:+1",
        "a:80x",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/8x",
        "10.0.0.300/8",
        "::1/129",
        "::1/",
        "name/8",
        "http://a",
        "/8",
        "[::1",
        "[::1]x",
        "[::1]80",
        "[::1]:0",
        "[::1]:",
        "[]",
        "a b",
        "a,b",
        "user@a",
        "a?b",
        "a#b",
        "\"a\"",
        "<loca>",
        "a\x01",
        "a\\b",
        "[a]]",
        "a\x7f",
        "10.0.0.0/8:",
        "10.0.0.0/8:0",
        "10.0.0.0/8:x",
        "10.0.0.0:80/8",
        "[fd00::/8",
        "[fd00::/8]x",
        "[/8]:80",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *const entries[] = {"good.example", bad[i]};
        char quoted[64];
        struct err e = {0};
        struct rules b;
        if (read_entries(&b, entries, 2, &e))
            fail_msg("taken: \"%s\"", bad[i]);
        snprintf(quoted, sizeof quoted, "no-proxy: cannot read \"%s\"; ", bad[i]);
        assert_int_equal(e.code, ERR_CONFIG);
        assert_memory_equal(e.text, quoted, strlen(quoted));
        assert_non_null(strstr(e.text, "network/bits"));
    }
}

static void test_ways_in_order(void **state)
{
    (void)state;
    struct err e = {0};
    struct rules r;
    struct config *c = config_load_text("t.conf",
                                        SPAN("[upstream corp]\nproxy = http://a.example:80\n"
                                             "[upstream lab]\nproxy = http://b.example:80\n"
                                             "[route]\nno-proxy = wiki.lab.example\n"
                                             "rule = *.ads.example block\n"
                                             "rule = *.lab.example:443 lab\n"
                                             "rule = *.lab.example direct\n"
                                             "rule = \"10.0.0.0/8\" corp\n"),
                                        &e);
    static const struct {
        const char *host;
        uint16_t port;
        enum config_way way;
        const char *text;
    } rows[] = {
        {"wiki.lab.example", 443, WAY_DIRECT, "no-proxy wiki.lab.example"},
        {"x.ads.example", 80, WAY_BLOCK, "rule *.ads.example block"},
        {"x.lab.example", 443, WAY_UPSTREAM, "rule *.lab.example:443 lab"},
        {"x.lab.example", 80, WAY_DIRECT, "rule *.lab.example direct"},
        {"10.1.2.3", 80, WAY_UPSTREAM, "rule 10.0.0.0/8 corp"},
    };
    if (!c || !rules_read(&r, c, &e))
        fail_msg("%s", e.text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct rule *found = rules_match(&r, span_str(rows[i].host), rows[i].port);
        assert_non_null(found);
        assert_string_equal(found->text, rows[i].text);
        assert_int_equal(found->way, rows[i].way);
    }
    assert_int_equal(rules_match(&r, SPAN("x.lab.example"), 443)->upstream, 1);
    assert_int_equal(rules_match(&r, SPAN("10.1.2.3"), 443)->upstream, 0);
    assert_null(rules_match(&r, SPAN("www.example"), 443));
    rules_free(&r);
    config_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_entry),
        cmocka_unit_test(test_the_first_that_matches_is_told),
        cmocka_unit_test(test_no_rules),
        cmocka_unit_test(test_host_is_a_view),
        cmocka_unit_test(test_ways_in_order),
        cmocka_unit_test(test_bad_entries),
        cmocka_unit_test(test_stars_against_a_long_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
