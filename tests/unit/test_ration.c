/* How many client passwords may be tried: a few for each account, each pair once, given back on success and after a while. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "keys/ration.h"

static void three_for_an_account(void **state)
{
    (void)state;
    struct ration r = {0};
    char mark[16];
    for (unsigned i = 0; i < 10; i++) {
        snprintf(mark, sizeof mark, "m%u", i);
        assert_int_equal(ration_take(&r, "alice@corp", mark, 1000 + i), i < RATION_ACCOUNT);
        assert_true(ration_take(&r, "alice@corp", "m0", 1000 + i)); /* it has its place */
    }
    assert_true(ration_take(&r, "bob@corp", "m0", 2000));
    /* the oldest one's time is over: one place, not two */
    assert_false(ration_take(&r, "alice@corp", "x", 999 + RATION_MS));
    assert_true(ration_take(&r, "alice@corp", "x", 1000 + RATION_MS));
    assert_false(ration_take(&r, "alice@corp", "y", 1000 + RATION_MS));
    ration_free(&r);
}

static void success_gives_it_back(void **state)
{
    (void)state;
    struct ration r = {0};
    for (unsigned i = 0; i < RATION_ACCOUNT; i++)
        assert_true(ration_take(&r, "alice@corp", i == 0 ? "good" : i == 1 ? "b1" : "b2", 0));
    assert_false(ration_take(&r, "alice@corp", "b3", 0));
    ration_return(&r, "alice@corp", "other");
    ration_return(&r, "bob@corp", "good");
    assert_false(ration_take(&r, "alice@corp", "b3", 0));
    ration_return(&r, "alice@corp", "good");
    assert_true(ration_take(&r, "alice@corp", "b3", 0));
    assert_false(ration_take(&r, "alice@corp", "b4", 0));
    ration_free(&r);
}

/* Without a verdict each of them may have been counted. */
static void each_time_counts_where_there_are_several(void **state)
{
    (void)state;
    struct ration r = {0};
    for (unsigned i = 0; i < 10; i++)
        assert_true(ration_show(&r, "alice@corp", "only", i)); /* the guard's pauses are enough */
    assert_false(ration_take(&r, "alice@corp", "other", 10));
    assert_false(ration_show(&r, "alice@corp", "other", 10));
    assert_true(ration_show(&r, "bob@corp", "one", 0));
    assert_true(ration_take(&r, "bob@corp", "two", 0));
    assert_true(ration_show(&r, "bob@corp", "one", 0));
    assert_true(ration_show(&r, "bob@corp", "two", 0)); /* it had its place */
    assert_false(ration_show(&r, "bob@corp", "two", 0));
    assert_false(ration_show(&r, "bob@corp", "one", 0));
    ration_return(&r, "bob@corp", "one");
    assert_true(ration_show(&r, "bob@corp", "two", RATION_MS - 1));
    assert_true(ration_show(&r, "bob@corp", "one", RATION_MS - 1));
    assert_false(ration_take(&r, "bob@corp", "three", 2 * RATION_MS - 2)); /* from the last time on */
    assert_true(ration_take(&r, "bob@corp", "three", 2 * RATION_MS - 1));
    ration_free(&r);
}

/* A full table lets nothing new pass until something in it is over. */
static void full(void **state)
{
    (void)state;
    struct ration r = {0};
    char account[16];
    for (unsigned i = 0; i <= RATION_ALL; i++) {
        snprintf(account, sizeof account, "a%u@corp", i);
        assert_int_equal(ration_take(&r, account, "m", 0), i < RATION_ALL);
    }
    assert_true(ration_take(&r, "a7@corp", "m", 1));
    assert_true(ration_take(&r, account, "m", RATION_MS));
    ration_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_for_an_account), cmocka_unit_test(success_gives_it_back),
        cmocka_unit_test(each_time_counts_where_there_are_several), cmocka_unit_test(full)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
