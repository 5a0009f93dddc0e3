/* Numbers of contexts: never 0, not soon the same again, and as many as there is room for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "keys/slots.h"

static void test_numbers(void **state)
{
    (void)state;
    struct slots s = {0};
    int a, b;
    uint32_t first, second, third;
    assert_null(slots_at(&s, 0));
    assert_true(slots_place(&s, &a, &first));
    assert_true(slots_place(&s, &b, &second));
    assert_int_not_equal(first, 0);
    assert_int_not_equal(first, second);
    assert_ptr_equal(slots_at(&s, first), &a);
    assert_ptr_equal(slots_at(&s, second), &b);
    slots_drop(&s, first, &b); /* another's: stays */
    assert_ptr_equal(slots_at(&s, first), &a);
    slots_drop(&s, first, &a);
    assert_null(slots_at(&s, first));
    assert_true(slots_place(&s, &a, &third)); /* in the same slot, by another number */
    assert_int_equal(third & (SLOTS_MOST - 1), first & (SLOTS_MOST - 1));
    assert_int_not_equal(third, first);
    assert_null(slots_at(&s, 63));
    assert_null(slots_at(&s, UINT32_MAX));
    slots_free(&s);
}

static void test_full(void **state)
{
    (void)state;
    struct slots s = {0};
    uint32_t id, zeroth = 0;
    for (int i = 0; i < SLOTS_MOST; i++) {
        assert_true(slots_place(&s, &s, &id));
        assert_int_not_equal(id, 0);
        if (i == 0)
            zeroth = id;
    }
    assert_false(slots_place(&s, &s, &id));
    for (int i = 0; i < 70000; i++) { /* more often than the upper half has values */
        slots_drop(&s, zeroth, &s);
        assert_true(slots_place(&s, &s, &zeroth));
        assert_int_not_equal(zeroth, 0);
    }
    slots_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers), cmocka_unit_test(test_full)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
