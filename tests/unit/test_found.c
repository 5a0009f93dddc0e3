/* What a PAC script returned, as hops: whose identity a proxy meets that it names, that hops are kept, and that nothing of it is without a ceiling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "route/route.h"

static const char text[] = "[upstream corp]\n"
                           "proxy = http://one.example:8080 https://two.example:443\n"
                           "connections = 7\n"
                           "[upstream lab]\n"
                           "proxy = http://lab.example:3128 socks5://gate.example:1080\n"
                           "via = corp\n"
                           "hosts = .proxy.lab.example 10.0.0.0/8:3128 one.example:80 two.example\n"
                           "auth = basic\n"
                           "[route]\n"
                           "pac = /tmp/proxy.pac\n";

static struct route_table *table(const char *more)
{
    struct err e = {0};
    struct buf all = {0};
    buf_addf(&all, "%s%s", text, more);
    struct config *c = config_load_text("t.conf", buf_span(&all), &e);
    buf_free(&all);
    if (!c)
        fail_msg("%s", e.text);
    struct route_table *t = route_table_new(c, &e);
    config_unref(c);
    if (!t)
        fail_msg("%s", e.text);
    return t;
}

static struct route by(struct route_table *t, const char *result)
{
    struct route r;
    struct span notes;
    route_by_result(t, SPAN("www.example"), 443, span_str(result), &r, &notes);
    return r;
}

static void test_whose(void **state)
{
    (void)state;
    static const struct {
        const char *entry, *upstream; /* NULL: nobody's */
        bool tls, found;
    } rows[] = {
        {"PROXY one.example:8080", "corp", false, false},
        {"PROXY ONE.example:8080", "corp", false, false},
        {"HTTP one.example:8080", "corp", false, false},
        {"HTTPS two.example:443", "corp", true, false},
        {"HTTPS two.example", "corp", true, false},
        {"HTTPS one.example:8080", NULL, true, true}, /* the same address with TLS is another proxy */
        {"PROXY two.example:443", NULL, false, true}, /* and one without is not met, though hosts has it */
        {"PROXY two.example:81", "lab", false, false},
        {"PROXY one.example", "lab", false, false}, /* port 80 */
        {"PROXY one.example:81", NULL, false, true},
        {"PROXY a.proxy.lab.example:1", "lab", false, false},
        {"HTTPS a.proxy.lab.example", "lab", true, false},
        {"PROXY proxy.lab.example:1", "lab", false, false},
        {"PROXY xproxy.lab.example:1", NULL, false, true},
        {"PROXY 10.1.2.3:3128", "lab", false, false},
        {"PROXY 10.1.2.3:3129", NULL, false, true},
        {"PROXY [::ffff:10.1.2.3]:3128", "lab", false, false},
        {"PROXY evil.example:8080", NULL, false, true},
        {"PROXY gate.example:1080", NULL, false, true},
    };
    struct route_table *t = table("");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct route r = by(t, rows[i].entry);
        assert_int_equal(r.n, 1);
        const struct hop *h = r.hops[0];
        if (rows[i].upstream && !h->upstream)
            fail_msg("%s: nobody's", rows[i].entry);
        if (rows[i].upstream)
            assert_string_equal(h->upstream, rows[i].upstream);
        else
            assert_null(h->upstream);
        assert_int_equal(h->authenticates, rows[i].upstream != NULL);
        assert_int_equal(h->tls != NULL, rows[i].tls);
        assert_int_equal(h->found, rows[i].found);
        assert_false(hop_is_direct(h));
    }
    size_t n;
    assert_ptr_equal(by(t, "PROXY one.example:8080").hops[0], route_table_proxies(t, &n)[0]);
    assert_int_equal(by(t, "PROXY one.example:8080").hops[0]->connections, 7);
    route_table_unref(t);
}

static void test_order_and_direct(void **state)
{
    (void)state;
    struct route_table *t = table("when-unreachable = direct\n");
    struct route r = by(t, "PROXY a.example:1; DIRECT; PROXY one.example:8080");
    assert_int_equal(r.n, 3);
    assert_string_equal(r.hops[0]->name, "a.example:1");
    assert_true(hop_is_direct(r.hops[1]));
    assert_string_equal(r.hops[1]->name, "www.example:443");
    assert_string_equal(r.hops[2]->name, "one.example:8080");
    assert_false(r.may_go_direct); /* the script has said when */
    assert_string_equal(r.why, "PAC: PROXY a.example:1; DIRECT; PROXY one.example:8080");
    struct span notes;
    route_by_result(t, SPAN("other.example"), 80, SPAN("DIRECT"), &r, &notes);
    assert_string_equal(r.hops[0]->name, "other.example:80");
    route_by_result(t, SPAN("other.example"), 80, SPAN(""), &r, &notes);
    assert_true(hop_is_direct(r.hops[0]));
    r = by(t, "PROXY a.example:1; PROXY b.example:1");
    assert_true(r.may_go_direct);
    route_table_unref(t);
}

static void test_nothing_to_use(void **state)
{
    (void)state;
    struct route_table *t = table("");
    struct route r;
    struct span notes;
    assert_false(route_by_result(t, SPAN("www.example"), 443, SPAN("QUIC a:1; PROXY"), &r, &notes));
    assert_int_equal(r.n, 0);
    assert_true(notes.n > 0);
    assert_true(route_by_result(t, SPAN("www.example"), 443, SPAN("QUIC a:1; PROXY b:1"), &r, &notes));
    assert_int_equal(r.n, 1);
    assert_true(notes.n > 0);
    route_table_unref(t);
}

/* The password itself is for servers that the configuration names. */
static void test_socks(void **state)
{
    (void)state;
    static const struct {
        const char *entry, *upstream;
    } rows[] = {
        {"SOCKS gate.example", "lab"},          {"SOCKS5 gate.example:1080", "lab"},
        {"SOCKS5 a.proxy.lab.example:1", NULL}, {"SOCKS other.example", NULL},
        {"SOCKS5 lab.example:3128", NULL},
    };
    struct route_table *t = table("");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct route r = by(t, rows[i].entry);
        assert_int_equal(r.n, 1);
        assert_true(r.hops[0]->socks);
        assert_int_equal(r.hops[0]->upstream != NULL, rows[i].upstream != NULL);
        assert_false(r.hops[0]->socks_password);
        assert_false(hop_is_direct(r.hops[0]));
        assert_ptr_equal(by(t, rows[i].entry).hops[0], r.hops[0]);
    }
    struct route r;
    struct span notes;
    assert_false(route_by_result(t, SPAN("www.example"), 80, SPAN("SOCKS4 gate.example"), &r, &notes));
    assert_non_null(memmem(notes.p, notes.n, "only version 5", 14));
    route_table_unref(t);
}

static unsigned visited;

static void visit(struct hop *h)
{
    assert_non_null(h->host);
    visited++;
}

static void test_met_by_the_same_road(void **state)
{
    (void)state;
    struct route_table *t = table("");
    struct hop *h = by(t, "PROXY a.proxy.lab.example:1").hops[0];
    assert_int_equal(h->n_through, 2);
    assert_string_equal(h->through[0]->name, "one.example:8080");
    assert_int_equal(by(t, "PROXY evil.example:1").hops[0]->n_through, 0);
    visited = 0;
    route_table_of(t, SPAN("lab"), visit); /* two of its own, and this one */
    assert_int_equal(visited, 3);
    route_table_unref(t);
}

static void test_kept(void **state)
{
    (void)state;
    struct route_table *t = table("");
    struct hop *a = by(t, "PROXY a.example:1").hops[0];
    assert_ptr_equal(by(t, "PROXY b.example:1; PROXY A.example:1").hops[1], a); /* by another result */
    for (unsigned i = 0; i < 2000; i++) {
        char result[64];
        snprintf(result, sizeof result, "PROXY p%u.example:1; PROXY a.example:1", i);
        assert_ptr_equal(by(t, result).hops[1], a); /* in use all the time */
    }
    visited = 0;
    route_table_each(t, visit);
    assert_true(visited >= 64 && visited <= 256 + 4);
    route_table_unref(t);
}

/* One result with more than are kept must not lose those that it has just made. */
static void test_many_at_once(void **state)
{
    (void)state;
    struct route_table *t = table("");
    struct buf result = {0};
    for (unsigned i = 0; i < 300; i++)
        buf_addf(&result, "PROXY p%u.example:1;", i);
    struct route r = by(t, buf_cstr(&result));
    assert_int_equal(r.n, 64);
    for (size_t i = 0; i < r.n; i++)
        assert_int_equal(r.hops[i]->port, 1);
    buf_free(&result);
    route_table_unref(t);
}

static void test_after_a_reload(void **state)
{
    (void)state;
    struct route_table *t = table("");
    assert_false(by(t, "PROXY a.example:1").hops[0]->retired);
    route_table_retire(t);
    assert_true(by(t, "PROXY b.example:1").hops[0]->retired);
    assert_true(by(t, "DIRECT").hops[0]->retired);
    route_table_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whose),          cmocka_unit_test(test_order_and_direct),
        cmocka_unit_test(test_socks),          cmocka_unit_test(test_met_by_the_same_road),
        cmocka_unit_test(test_nothing_to_use), cmocka_unit_test(test_kept),
        cmocka_unit_test(test_many_at_once),   cmocka_unit_test(test_after_a_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
