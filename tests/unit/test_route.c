/* Routes: the first upstream's proxies in their order, everything else that is configured behind them, direct hops kept and evicted,
   the reasons in words, and what a hop takes from its section. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "route/route.h"

#define KEPT 64 /* direct hops */

static const char two_upstreams[] = "[upstream corp]\n"
                                    "proxy = http://one.example:8080 http://two.example:3128\n"
                                    "auth = negotiate ntlm\n"
                                    "connections = 7\n"
                                    "dial-timeout = 3\n"
                                    "answer-timeout = 0\n"
                                    "[upstream lab]\n"
                                    "proxy = http://[2001:db8::1]:81\n"
                                    "auth = none\n"
                                    "[route]\n"
                                    "no-proxy = .internal.example 10.0.0.0/8 *:22\n";

static struct route_table *table(const char *text)
{
    struct err e = {0};
    struct config *c = config_load_text("t.conf", span_str(text), &e);
    if (!c)
        fail_msg("%s", e.text);
    struct route_table *t = route_table_new(c, &e);
    config_unref(c); /* the table lives without it */
    if (!t)
        fail_msg("%s", e.text);
    return t;
}

static void test_the_first_upstream_in_order(void **state)
{
    (void)state;
    struct route_table *t = table(two_upstreams);
    struct route r;
    route_find(t, SPAN("www.example"), 443, &r);
    assert_int_equal(r.n, 2);
    assert_string_equal(r.hops[0]->name, "one.example:8080");
    assert_string_equal(r.hops[1]->name, "two.example:3128");
    assert_string_equal(r.why, "upstream corp");
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(r.hops[i]->upstream, "corp");
        assert_false(hop_is_direct(r.hops[i]));
    }
    struct route again;
    route_find(t, SPAN("other.example"), 80, &again);
    assert_ptr_equal(again.hops[0], r.hops[0]);
    route_table_unref(t);
}

static void test_all_proxies(void **state)
{
    (void)state;
    struct route_table *t = table(two_upstreams);
    size_t n;
    struct hop **hops = route_table_proxies(t, &n);
    assert_int_equal(n, 3);
    assert_string_equal(hops[0]->name, "one.example:8080");
    assert_string_equal(hops[2]->name, "[2001:db8::1]:81");
    assert_string_equal(hops[2]->host, "2001:db8::1");
    assert_int_equal(hops[2]->port, 81);
    route_table_unref(t);
}

static void test_what_a_hop_takes_from_its_section(void **state)
{
    (void)state;
    struct route_table *t = table(two_upstreams);
    size_t n;
    struct hop **hops = route_table_proxies(t, &n);
    assert_true(hops[0]->authenticates);
    assert_false(hops[0]->pass_credentials);
    assert_int_equal(hops[0]->connections, 7);
    assert_int_equal(hops[0]->dial_ms, 3000);
    assert_int_equal(hops[0]->answer_ms, 0);
    assert_false(hops[2]->authenticates); /* auth = none */
    route_table_unref(t);
}

/* Who passes the client's credentials on must not answer with ours. */
static void test_pass_means_no_answers_of_ours(void **state)
{
    (void)state;
    struct route_table *t =
        table("[upstream a]\nproxy = http://p:1\nauth = negotiate\nclient-credentials = pass\n");
    size_t n;
    struct hop **hops = route_table_proxies(t, &n);
    assert_true(hops[0]->pass_credentials);
    assert_false(hops[0]->authenticates);
    route_table_unref(t);
}

static void test_direct(void **state)
{
    (void)state;
    struct route_table *t = table(two_upstreams);
    struct route r;
    route_find(t, SPAN("Wiki.Internal.Example"), 8443, &r);
    assert_int_equal(r.n, 1);
    assert_true(hop_is_direct(r.hops[0]));
    assert_false(r.hops[0]->authenticates);
    assert_string_equal(r.hops[0]->name, "Wiki.Internal.Example:8443");
    assert_int_equal(r.hops[0]->port, 8443);
    assert_string_equal(r.why, "no-proxy .internal.example");
    route_find(t, SPAN("10.1.2.3"), 80, &r);
    assert_string_equal(r.why, "no-proxy 10.0.0.0/8");
    route_find(t, SPAN("git.example"), 22, &r);
    assert_string_equal(r.why, "no-proxy *:22");
    route_find(t, SPAN("2001:db8::9"), 22, &r);
    assert_string_equal(r.hops[0]->name, "[2001:db8::9]:22");
    route_table_unref(t);
}

static struct hop *direct_to(struct route_table *t, unsigned number, uint16_t port)
{
    char host[40];
    struct route r;
    snprintf(host, sizeof host, "h%u.internal.example", number);
    route_find(t, span_str(host), port, &r);
    assert_int_equal(r.n, 1);
    return r.hops[0];
}

static void test_direct_hops_are_kept(void **state)
{
    (void)state;
    struct route_table *t = table(two_upstreams);
    struct route r;
    struct hop *first = direct_to(t, 0, 80);
    assert_ptr_equal(direct_to(t, 0, 80), first);
    route_find(t, SPAN("H0.INTERNAL.EXAMPLE"), 80, &r);
    assert_ptr_equal(r.hops[0], first);
    assert_ptr_not_equal(direct_to(t, 0, 81), first); /* another port is another place */
    assert_ptr_not_equal(direct_to(t, 1, 80), first);
    assert_ptr_equal(direct_to(t, 0, 80), first);
    route_table_unref(t);
}

/* A new one has not seen a 407. */
static bool is_as_before(struct route_table *t, unsigned number)
{
    return direct_to(t, number, 80)->asks;
}

static void test_the_longest_unused_is_evicted(void **state)
{
    (void)state;
    struct route_table *t = table(two_upstreams);
    for (unsigned i = 0; i < KEPT; i++)
        direct_to(t, i, 80)->asks = true;
    assert_true(is_as_before(t, 0)); /* used again: now 1 is the oldest */
    direct_to(t, KEPT, 80)->asks = true;
    for (unsigned i = 0; i <= KEPT; i++)
        if (i != 1)
            assert_true(is_as_before(t, i));
    assert_false(is_as_before(t, 1));
    route_table_unref(t);
}

/* By a connection, or a request: whoever goes round all of them must find it. */
static void test_one_in_use_is_not_evicted(void **state)
{
    (void)state;
    struct route_table *t = table(two_upstreams);
    struct hop *held[KEPT + 6];
    for (unsigned i = 0; i < KEPT + 6; i++) {
        held[i] = hop_ref(direct_to(t, i, 80));
        held[i]->asks = true;
    }
    for (unsigned i = 0; i < KEPT + 6; i++)
        assert_true(is_as_before(t, i));
    for (unsigned i = 0; i < KEPT + 6; i++)
        hop_unref(held[i]);
    direct_to(t, KEPT + 6, 80);
    for (unsigned i = 7; i < KEPT + 6; i++)
        assert_true(is_as_before(t, i));
    assert_false(is_as_before(t, 6)); /* too many of them are not kept when nobody needs them */
    route_table_unref(t);
}

static unsigned visited_proxies, visited_direct;

static void count(struct hop *h)
{
    *(hop_is_direct(h) ? &visited_direct : &visited_proxies) += 1;
}

static void test_every_hop_is_visited(void **state)
{
    (void)state;
    struct route_table *t = table(two_upstreams);
    for (unsigned i = 0; i < 5; i++)
        direct_to(t, i, 80);
    visited_proxies = visited_direct = 0;
    route_table_each(t, count);
    assert_int_equal(visited_proxies, 3);
    assert_int_equal(visited_direct, 5);
    route_table_unref(t);
}

static void test_references(void **state)
{
    (void)state;
    struct route_table *t = table(two_upstreams);
    struct route r;
    route_table_ref(t);
    route_table_unref(t);
    route_find(t, SPAN("www.example"), 80, &r);
    struct hop *kept = hop_ref(r.hops[0]);
    route_table_unref(t);
    assert_string_equal(kept->name, "one.example:8080");
    hop_unref(kept);
    hop_unref(NULL);
    route_table_unref(NULL);
}

static unsigned pools_freed;

static void free_pool(void *memory)
{
    assert_ptr_equal(memory, &pools_freed);
    pools_freed++;
}

static void test_the_pool_goes_with_the_last_reference(void **state)
{
    (void)state;
    struct hop *h = hop_new_direct(SPAN("a.example"), 80);
    pools_freed = 0;
    h->pool = &pools_freed;
    h->pool_free = free_pool;
    hop_ref(h);
    hop_unref(h);
    assert_int_equal(pools_freed, 0);
    hop_unref(h);
    assert_int_equal(pools_freed, 1);
}

static void test_a_bad_rule_makes_no_table(void **state)
{
    (void)state;
    struct err e = {0};
    struct config *c = config_load_text("t.conf", SPAN("[upstream a]\nproxy = http://p:1\n"), &e);
    assert_non_null(c);
    char *rule = mem_strdup("10.0.0.0/99");
    char **before = c->no_proxy;
    size_t n_before = c->n_no_proxy;
    c->no_proxy = &rule;
    c->n_no_proxy = 1;
    assert_null(route_table_new(c, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_non_null(strstr(e.text, "\"10.0.0.0/99\""));
    c->no_proxy = before;
    c->n_no_proxy = n_before;
    free(rule);
    config_unref(c);
}

/* A blocked destination has no hops; a rule for an upstream gives its hops alone. */
static void test_rules_decide(void **state)
{
    (void)state;
    struct route_table *t =
        table("[upstream corp]\nproxy = http://one.example:8080\n"
              "[upstream lab]\nproxy = http://two.example:81\n"
              "[route]\nrule = *.ads.example block\nrule = *.lab.example lab\nwhen-unreachable = direct\n");
    struct route r;
    route_find(t, SPAN("x.ads.example"), 443, &r);
    assert_int_equal(r.n, 0);
    assert_null(r.way);
    assert_string_equal(r.why, "rule *.ads.example block");
    route_find(t, SPAN("x.lab.example"), 443, &r);
    assert_int_equal(r.n, 1);
    assert_string_equal(r.hops[0]->name, "two.example:81");
    assert_string_equal(r.way->reason, "upstream lab");
    assert_true(r.may_go_direct);
    route_table_unref(t);
}

static void test_a_hop_sleeps_longer_each_time(void **state)
{
    (void)state;
    struct hop *h = hop_new_direct(SPAN("a.example"), 80);
    uint64_t now = 1000, least = 0;
    assert_false(hop_asleep(h, now));
    for (unsigned i = 0; i < 12; i++) {
        hop_failed(h, now, i * 7919, "no route");
        assert_true(hop_asleep(h, now));
        uint64_t sleeps = h->asleep_until - now, whole = i < 6 ? 1000u << i : 60000;
        assert_true(sleeps > whole * 3 / 4 && sleeps <= whole);
        assert_true(sleeps > least);
        least = i < 6 ? sleeps : 0;
        assert_false(hop_asleep(h, h->asleep_until));
    }
    assert_int_equal(h->failures, 12);
    assert_string_equal(h->asleep_why, "no route");
    hop_wake(h);
    assert_false(hop_asleep(h, now));
    hop_failed(h, now, 0, "again");
    assert_int_equal(h->asleep_until, now + 1000); /* from the beginning */
    hop_unref(h);
}

static void explain(struct route_table *t, const char *host, uint16_t port, struct buf *out)
{
    struct route r;
    route_explain_rules(t, span_str(host), port, out);
    route_find(t, span_str(host), port, &r);
    route_explain_ways(&r, span_str(host), port, 0, out);
}

static void explained(struct route_table *t, const char *host, uint16_t port, const char *expected)
{
    struct buf text = {0};
    explain(t, host, port, &text);
    assert_string_equal(buf_cstr(&text), expected);
    buf_free(&text);
}

static const char ways[] = "[upstream corp]\nproxy = socks5://s.example:1080 http://p.example:8080\n"
                           "auth = negotiate basic\nvia = gate\nconnect-always = yes\n"
                           "[upstream gate]\nproxy = http://g.example:1 http://h.example:2\nauth = none\n"
                           "via = far\n"
                           "[upstream far]\nproxy = socks5://[::1]:3\nauth = basic\n";

static unsigned met;

static void meet(struct hop *h)
{
    (void)h;
    met++;
}

static void test_ways_lead_through_others(void **state)
{
    (void)state;
    struct route_table *t = table(ways);
    struct route r;
    route_find(t, SPAN("www.example"), 443, &r);
    struct hop *socks = r.hops[0], *proxy = r.hops[1];
    assert_true(socks->socks && !socks->authenticates && !socks->connect_always && !hop_is_direct(socks));
    assert_false(socks->socks_password); /* in clear text, to another machine */
    assert_true(proxy->authenticates && proxy->connect_always && !proxy->socks);
    assert_int_equal(proxy->n_through, 2);
    assert_string_equal(proxy->through[1]->name, "h.example:2");
    assert_true(proxy->through[0]->through[0]->socks_password);
    assert_true(hop_meets(socks, SPAN("far")) && hop_meets(socks, SPAN("corp")));
    assert_false(hop_meets(proxy->through[0], SPAN("corp")));
    assert_string_equal(hop_first_name(proxy), "[::1]:3");
    met = 0;
    route_table_of(t, SPAN("gate"), meet);
    assert_int_equal(met, 4);
    route_table_unref(t);
}

static void test_destinations_beyond(void **state)
{
    (void)state;
    struct route_table *t = table(ways);
    struct route r;
    route_find(t, SPAN("www.example"), 80, &r);
    struct hop *socks = r.hops[0], *proxy = r.hops[1];
    struct hop *one = route_beyond(t, socks, SPAN("www.example"), 80, false);
    assert_true(hop_is_direct(one) && one->port == 80 && one->through[0] == socks && !one->authenticates);
    assert_string_equal(one->name, "www.example:80 (through s.example:1080)");
    assert_string_equal(hop_first_name(one), "[::1]:3");
    assert_ptr_equal(route_beyond(t, socks, SPAN("WWW.example"), 80, true), one);
    assert_ptr_not_equal(route_beyond(t, socks, SPAN("www.example"), 443, true), one);
    assert_ptr_not_equal(route_beyond(t, proxy, SPAN("www.example"), 80, false), one);
    assert_ptr_not_equal(route_direct(t, SPAN("www.example"), 80), one);
    assert_null(hop_first_name(route_direct(t, SPAN("www.example"), 80)));
    assert_ptr_equal(route_beyond(t, proxy, SPAN("www.example"), 443, true),
                     proxy); /* a CONNECT of its own */
    met = 0;
    route_table_of(t, SPAN("corp"), meet);
    assert_int_equal(met, 5); /* its two, and three destinations behind them */
    struct hop *unnamed = hop_new_socks(SPAN("s.example"), 1080);
    assert_false(hop_is_direct(unnamed));
    assert_false(unnamed->socks_password);
    assert_true(hop_wants_beyond(unnamed, true) && hop_wants_beyond(unnamed, false));
    struct hop *behind = hop_ref(route_beyond(t, unnamed, SPAN("www.example"), 80, true));
    hop_unref(unnamed);
    route_table_unref(t);
    assert_string_equal(behind->through[0]->name, "s.example:1080"); /* kept by it */
    hop_unref(behind);
}

static void test_ways_are_explained(void **state)
{
    (void)state;
    struct route_table *t = table(ways);
    struct buf out = {0};
    explain(t, "www.example", 80, &out);
    assert_string_equal(buf_cstr(&out),
                        "no rule matches: the first upstream\n"
                        "=> SOCKS server s.example:1080 (upstream corp)\n"
                        "      through proxy g.example:1 (upstream gate)\n"
                        "      or proxy h.example:2 (upstream gate)\n"
                        "         through SOCKS server [::1]:3 (upstream far)\n"
                        "   else proxy p.example:8080 (upstream corp), by tunnels alone (connect-always)\n"
                        "      through proxy g.example:1 (upstream gate)\n"
                        "      or proxy h.example:2 (upstream gate)\n"
                        "         through SOCKS server [::1]:3 (upstream far)\n");
    buf_free(&out);
    route_table_unref(t);
}

static void test_explained(void **state)
{
    (void)state;
    struct route_table *t = table(two_upstreams);
    size_t n;
    explained(t, "10.1.2.3", 80,
              "no-proxy .internal.example: does not match\nno-proxy 10.0.0.0/8: matches\n=> direct to "
              "10.1.2.3:80\n");
    hop_failed(route_table_proxies(t, &n)[0], 0, 0, "no route");
    explained(t, "www.example", 80,
              "no-proxy .internal.example: does not match\nno-proxy 10.0.0.0/8: does not match\nno-proxy "
              "*:22: does not match\n"
              "no rule matches: the first upstream\n=> proxy two.example:3128 (upstream corp)\n"
              "   else proxy one.example:8080 (upstream corp), which could not be reached: no route\n");
    route_table_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_upstream_in_order),
        cmocka_unit_test(test_all_proxies),
        cmocka_unit_test(test_what_a_hop_takes_from_its_section),
        cmocka_unit_test(test_pass_means_no_answers_of_ours),
        cmocka_unit_test(test_direct),
        cmocka_unit_test(test_direct_hops_are_kept),
        cmocka_unit_test(test_the_longest_unused_is_evicted),
        cmocka_unit_test(test_one_in_use_is_not_evicted),
        cmocka_unit_test(test_every_hop_is_visited),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_the_pool_goes_with_the_last_reference),
        cmocka_unit_test(test_a_bad_rule_makes_no_table),
        cmocka_unit_test(test_rules_decide),
        cmocka_unit_test(test_a_hop_sleeps_longer_each_time),
        cmocka_unit_test(test_ways_lead_through_others),
        cmocka_unit_test(test_destinations_beyond),
        cmocka_unit_test(test_ways_are_explained),
        cmocka_unit_test(test_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
