/* Which changes of fields a request gets: by destination, by upstream, in which order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "route/headers.h"

#define UP "[upstream corp]\nproxy = http://p:1\n[upstream lab]\nproxy = http://q:1\n[headers]\n"

static struct header_rules *rules(const char *lines)
{
    struct buf text = {0};
    struct err e = {0};
    struct header_rules *r;
    buf_addf(&text, UP "%s", lines);
    struct config *c = config_load_text("t.conf", buf_span(&text), &e);
    if (!c || !header_rules_new(&r, c, &e))
        fail_msg("%s", e.text);
    config_unref(c); /* the rules live without it */
    buf_free(&text);
    return r;
}

static const struct {
    const char *lines, *host, *upstream;
    uint16_t port;
    const char *result; /* "-NAME" what is dropped, "+NAME: value" what is added */
} cases[] = {
    {"set = * User-Agent: a\n", "x.example", "corp", 80, "-User-Agent +User-Agent: a"},
    {"set = * User-Agent: a\n", "x.example", NULL, 80, "-User-Agent +User-Agent: a"},
    {"set = .x.example User-Agent: a\n", "a.x.example", "corp", 80, "-User-Agent +User-Agent: a"},
    {"set = .x.example User-Agent: a\n", "y.example", "corp", 80, ""},
    {"set = *:443 X: a\n", "y.example", "corp", 443, "-X +X: a"},
    {"set = *:443 X: a\n", "y.example", "corp", 80, ""},
    {"set = 10.0.0.0/8 X: a\n", "10.1.2.3", "corp", 80, "-X +X: a"},
    {"set = upstream:lab X: a\n", "y.example", "lab", 80, "-X +X: a"},
    {"set = upstream:lab X: a\n", "y.example", "corp", 80, ""},
    {"set = upstream:lab X: a\n", "lab", NULL, 80, ""},
    /* of several set for one name the first that fits, in any letter case; others go on */
    {"set = y X: no\nset = upstream:corp X: 1\nset = * x: 2\nset = * Y: 3\n", "a", "corp", 80,
     "-X -x -Y +X: 1 +Y: 3"},
    /* first remove, then set, then add, however they stand */
    {"add = * X: 3\nset = * X: 2\nremove = * X\n", "a", "corp", 80, "-X -X +X: 2 +X: 3"},
    {"add = * X: 3\nadd = a X: 4\nadd = b X: 5\n", "a", "corp", 80, "+X: 3 +X: 4"},
    {"remove = a Referer\nremove = b Referer\n", "a", NULL, 80, "-Referer"},
};

static void test_choice(void **state)
{
    (void)state;
    struct header_changes changes = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct header_rules *r = rules(cases[i].lines);
        struct destination d = destination_of(span_str(cases[i].host), cases[i].port);
        struct buf result = {0};
        header_rules_choose(r, &d, cases[i].upstream, &changes);
        for (size_t k = 0; k < changes.n_drop; k++)
            buf_addf(&result, "%s-%.*s", result.n ? " " : "", SPAN_ARG(changes.drop[k]));
        for (size_t k = 0; k < changes.n_add; k++)
            buf_addf(&result, "%s+%.*s: %.*s", result.n ? " " : "", SPAN_ARG(changes.add[k].name),
                     SPAN_ARG(changes.add[k].value));
        if (strcmp(buf_cstr(&result), cases[i].result) != 0)
            fail_msg("case %zu: %s", i, buf_cstr(&result));
        buf_free(&result);
        header_rules_unref(r);
    }
    header_rules_choose(NULL, &(struct destination){0}, "corp", &changes);
    assert_int_equal(changes.n_drop + changes.n_add, 0);
    header_changes_free(&changes);
}

static void test_nothing(void **state)
{
    (void)state;
    assert_null(rules(""));
    assert_null(header_rules_ref(NULL));
    header_rules_unref(NULL);
}

static void test_a_bad_pattern(void **state)
{
    (void)state;
    struct err e = {0};
    struct config *c = config_load_text("t.conf", SPAN(UP "set = * X: 1\nremove = 10.0.0.0/9 X\n"), &e);
    struct header_rules *r;
    assert_non_null(c);
    assert_int_equal(c->n_headers, 2);
    free(c->headers[1].pattern);
    c->headers[1].pattern =
        strdup("10.0.0.0/99"); /* a file with that is refused with its line, long before */
    assert_false(header_rules_new(&r, c, &e));
    assert_null(r);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_memory_equal(e.text, "[headers] remove: cannot read \"10.0.0.0/99\"", 43);
    config_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_a_bad_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
