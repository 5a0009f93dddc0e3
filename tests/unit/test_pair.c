/*
 * The message that shows user and password to a SOCKS server, and for whom it is made at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "keys/pair.h"

static void message(void **state)
{
    (void)state;
    struct secret s = {0};
    const char *why;
    char text[256];
    memset(text, 'x', sizeof text);
    assert_true(pair_message(&s, SPAN("alice"), SPAN("sec:ret\n\xff"), &why));
    assert_true(span_eq(secret_reveal(&s), SPAN("\1\5alice\x09sec:ret\n\xff")));
    secret_free(&s);
    assert_true(pair_message(&s, span_make(text, 255), span_make(text, 255), &why));
    assert_int_equal(secret_reveal(&s).n, 3 + 255 + 255);
    assert_int_equal((unsigned char)secret_reveal(&s).p[1], 255);
    assert_int_equal((unsigned char)secret_reveal(&s).p[257], 255);
    secret_free(&s);
    static const struct {
        size_t user, password;
        const char *words;
    } cases[] = {{0, 1, "no user name"}, {256, 1, "255"}, {1, 0, "empty"}, {1, 256, "255"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_false(
            pair_message(&s, span_make(text, cases[i].user), span_make(text, cases[i].password), &why));
        assert_non_null(strstr(why, cases[i].words));
        assert_false(secret_present(&s));
    }
}

static void for_whom(void **state)
{
    (void)state;
    struct err e = {0};
    struct config *c = config_load_text(
        "t",
        SPAN("[upstream c]\nproxy = socks5://s.example:1 http://p.example:2 socks5://b.example:3 "
             "http://b.example:3"),
        &e);
    assert_non_null(c);
    const struct config_upstream *u = &c->upstreams[0];
    assert_true(pair_is_for(u, SPAN("s.example"), 1));
    assert_true(pair_is_for(u, SPAN("S.Example"), 1));
    assert_false(pair_is_for(u, SPAN("s.example"), 2));
    assert_false(pair_is_for(u, SPAN("p.example"), 2));
    assert_false(pair_is_for(u, SPAN("b.example"), 3)); /* one address, two kinds */
    assert_false(pair_is_for(u, SPAN("evil.example"), 1));
    config_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(message), cmocka_unit_test(for_whom)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
