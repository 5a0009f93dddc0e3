/* The table of guards when there are more than it has room for: what goes, and what is kept for longest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "keys/identity.h"

#define MANY 6000

static bool is_frozen(struct keyholder *k, const char *account)
{
    struct guard *g = guard_get(k, account, "mark");
    bool frozen = g->frozen;
    guard_unref(g);
    return frozen;
}

static void what_is_known_nowhere_else_goes_last(void **state)
{
    (void)state;
    struct keyholder k = {0};
    char account[32];
    list_init(&k.guards);
    marks_open(&k.marks, NULL);
    struct guard *refused = guard_get(&k, "refused@corp", "mark"), *used = guard_get(&k, "used@corp", "mark");
    guard_freeze(refused, NULL);
    guard_unref(refused);
    guard_freeze(used, "corp");
    for (int i = 0; i < MANY; i++) {
        snprintf(account, sizeof account, "user%d@corp", i);
        guard_unref(guard_get(&k, account, "mark"));
    }
    assert_true(is_frozen(&k, "refused@corp"));
    struct guard *same = guard_get(&k, "used@corp", "mark");
    assert_ptr_equal(same, used);
    guard_unref(same);
    guard_unref(used);
    /* nothing but such: the oldest goes */
    for (int i = 0; i < MANY; i++) {
        snprintf(account, sizeof account, "refused%d@corp", i);
        struct guard *g = guard_get(&k, account, "mark");
        guard_freeze(g, NULL);
        guard_unref(g);
    }
    assert_true(is_frozen(&k, account));
    size_t n = 0;
    while (!list_empty(&k.guards) && ++n)
        guard_unref(list_entry(k.guards.next, struct guard, node));
    assert_true(n < MANY);
    marks_close(&k.marks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_known_nowhere_else_goes_last)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
