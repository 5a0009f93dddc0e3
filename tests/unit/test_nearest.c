/* The nearest name: what counts as a typing mistake, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/nearest.h"

static const char *const names[] = {"check", "help",   "login", "logout", "reload",
                                    "run",   "status", "stop",  "x"};

static const char *find(const char *given)
{
    struct nearest n;
    nearest_begin(&n, span_str(given));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        nearest_offer(&n, names[i]);
    return n.name;
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *given, *meant;
    } cases[] = {
        {"status", "status"}, {"STATUS", "status"},  {"stauts", "status"}, {"statsu", "status"},
        {"sttus", "status"},  {"sstatus", "status"}, {"stat", "status"},   {"st", "status"},
        {"relaod", "reload"}, {"lgoin", "login"},    {"logotu", "logout"}, {"rnu", "run"},
        {"ru", "run"},        {"hlep", "help"},      {"stp", "stop"},      {"chekc", "check"},
        {"", NULL},           {"q", NULL},           {"zebra", NULL},      {"restart", NULL},
        {"frobnicate", NULL}, {"-", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *found = find(cases[i].given);
        if (!cases[i].meant && found)
            fail_msg("\"%s\" found \"%s\"", cases[i].given, found);
        if (cases[i].meant) {
            if (!found)
                fail_msg("\"%s\" found nothing", cases[i].given);
            assert_string_equal(found, cases[i].meant);
        }
    }
}

/* The rows have room for 64 letters: one more must not be looked at (ASan watches). */
static void test_long_words(void **state)
{
    (void)state;
    static const char sixty_four[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    static const char sixty_five[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct nearest n;
    nearest_begin(&n, span_str(sixty_four));
    nearest_offer(&n, sixty_five);
    assert_null(n.name);
    nearest_offer(&n, sixty_four);
    assert_ptr_equal(n.name, sixty_four);
    nearest_begin(&n, span_str(sixty_five));
    nearest_offer(&n, sixty_four);
    assert_null(n.name);
}

static void test_first_of_equals_stays(void **state)
{
    (void)state;
    struct nearest n;
    nearest_begin(&n, SPAN("lo"));
    nearest_offer(&n, "login");
    nearest_offer(&n, "logout");
    assert_string_equal(n.name, "login");
    nearest_begin(&n, span_make("statusXXX", 6)); /* a span is not a string */
    nearest_offer(&n, "status");
    assert_int_equal(n.distance, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_first_of_equals_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
