/* Quotas: the bucket by its clock, connections, and that rows at rest are given up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "admit/quota.h"

static unsigned take_all(struct quota *row, unsigned rate, uint64_t now)
{
    unsigned n = 0;
    while (n < 10000 && quota_take(row, rate, now))
        n++;
    return n;
}

static void test_bucket(void **state)
{
    (void)state;
    static const struct {
        uint64_t at; /* ms */
        unsigned taken;
    } rows[] = {{5, 20}, {5, 0}, {104, 0}, {105, 1}, {1105, 10}, {60000, 20}, {60000, 0}, {61999, 19}};
    struct quotas q;
    quotas_init(&q);
    struct quota *row = quota_find(&q, SPAN("a"), 5);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(take_all(row, 10, rows[i].at), rows[i].taken);
    assert_int_equal(take_all(row, 0, 61999), 10000); /* no limit */
    quotas_done(&q);
}

/* The clock begins at 0, and a request at that time is one. */
static void test_first_moment(void **state)
{
    (void)state;
    struct quotas q;
    quotas_init(&q);
    assert_int_equal(take_all(quota_find(&q, SPAN("a"), 0), 1, 0), 2);
    quotas_done(&q);
}

static void test_rows(void **state)
{
    (void)state;
    struct quotas q;
    quotas_init(&q);
    struct quota *a = quota_find(&q, SPAN("a"), 1000);
    quota_enter(a);
    quota_enter(a);
    assert_true(quota_take(quota_find(&q, SPAN("b"), 1000), 1, 1000));
    assert_int_equal(q.n, 2);
    assert_ptr_equal(quota_find(&q, SPAN("a"), 2000), a);
    assert_int_equal(q.n, 2); /* what b has left is still less than all */
    assert_ptr_equal(quota_find(&q, SPAN("a"), 4000), a);
    assert_int_equal(q.n, 1);
    quota_leave(a);
    quota_find(&q, SPAN("c"), 9000);
    assert_int_equal(q.n, 2); /* one connection of a is open */
    quota_leave(a);
    quota_find(&q, SPAN("c"), 9000);
    assert_int_equal(q.n, 1);
    quotas_done(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bucket), cmocka_unit_test(test_first_moment),
                                       cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
