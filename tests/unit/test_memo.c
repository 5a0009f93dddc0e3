/* Texts remembered under texts: what is found, what makes room, what is fresh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/memo.h"

static struct memo *memo;

static void put(const char *key, const char *value, uint64_t expires)
{
    memo_put(memo, span_str(key), span_str(value), expires);
}

static bool has(const char *key, const char *value, uint64_t now, bool fresh)
{
    struct span got;
    bool is_fresh;
    return memo_get(memo, span_str(key), now, &got, &is_fresh) && span_eq(got, span_str(value)) &&
           is_fresh == fresh;
}

static bool knows(const char *key)
{
    struct span got;
    return memo_get(memo, span_str(key), 0, &got, NULL);
}

static void test_found(void **state)
{
    (void)state;
    memo = memo_new(10, 1000);
    assert_false(knows("a"));
    put("a", "1", 100);
    put("", "empty", 100);
    put("b", "", 100);
    assert_true(has("a", "1", 99, true));
    assert_true(has("a", "1", 100, false)); /* too old, and there all the same */
    assert_true(has("", "empty", 0, true));
    assert_true(has("b", "", 0, true));
    put("a", "2", 200);
    assert_true(has("a", "2", 150, true));
    assert_int_equal(memo_count(memo), 3);
    memo_expire(memo);
    assert_true(has("a", "2", 0, false));
    memo_free(memo);
    memo_free(NULL);
}

static void test_room(void **state)
{
    (void)state;
    memo = memo_new(3, 20);
    put("a", "1", 1);
    put("b", "2", 1);
    put("c", "3", 1);
    assert_true(knows("a")); /* used: b is the oldest now */
    put("d", "4", 1);
    assert_false(knows("b"));
    assert_true(knows("a") && knows("c") && knows("d"));
    put("e", "123456789012345", 1); /* 16 bytes: room for two others at most */
    assert_true(knows("e"));
    assert_int_equal(memo_count(memo), 3);
    put("f", "12345678901234567890", 1); /* never fits */
    assert_false(knows("f"));
    memo_free(memo);
    memo = memo_new(0, 20);
    put("a", "1", 1);
    assert_false(knows("a"));
    memo_free(memo);
}

/* A value that is lent from the very entry that is replaced. */
static void test_own_value(void **state)
{
    (void)state;
    struct span value;
    memo = memo_new(1, 100);
    put("a", "12345", 1);
    assert_true(memo_get(memo, SPAN("a"), 0, &value, NULL));
    memo_put(memo, SPAN("a"), span_from(value, 2), 1);
    assert_true(has("a", "345", 0, true));
    assert_true(memo_get(memo, SPAN("a"), 0, &value, NULL));
    memo_put(memo, SPAN("b"), value, 1);
    assert_true(has("b", "345", 0, true));
    memo_free(memo);
}

static void test_many(void **state)
{
    (void)state;
    char key[32];
    memo = memo_new(1000, 1 << 20);
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        put(key, key, 1);
    }
    assert_int_equal(memo_count(memo), 1000);
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        assert_int_equal(has(key, key, 0, true), i >= 4000);
    }
    memo_free(memo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_own_value),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
