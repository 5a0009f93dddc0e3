/* NT hashes: the worked example of MS-NLMP section 4.2.2, and passwords beyond ASCII (values computed with an independent MD4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keys/nthash.h"

static const struct {
    const char *password, *hash; /* NULL: not UTF-8 */
} rows[] = {
    {"Password", "a4f49c406510bdcab6824ee7c30fd852"},
    {"", "31d6cfe0d16ae931b73c59d7e0c089c0"},
    {"Grüße-2024!", "ebeea3098898f7af9abf5216236709fc"},
    {"€", "030926b781938db4365d46adc7cfbcb8"},
    {"𝄞", "78d54ecb6cc7c823f8b6d7acf67bf657"},
    {"\xff", NULL},
    {"\xc3", NULL},     /* cut short */
    {"\xc0\x80", NULL}, /* not the shortest form */
    {"\xe0\x80\x80", NULL},
    {"\xf0\x80\x80\x80", NULL},
    {"\xed\xa0\x80", NULL},     /* a surrogate */
    {"\xf4\x90\x80\x80", NULL}, /* beyond U+10FFFF */
    {"\xf8\x88\x80\x80\x80", NULL},
    {"\xe2\x28\xa1", NULL},
    {"\x80", NULL},
};

static void hashes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct secret hex = {0};
        struct err e = {0};
        bool good = nt_hash(&hex, span_str(rows[i].password), &e);
        assert_int_equal(good, rows[i].hash != NULL);
        if (good)
            assert_string_equal(secret_reveal(&hex).p, rows[i].hash);
        else
            assert_non_null(strstr(e.text, "UTF-8"));
        secret_free(&hex);
    }
}

static void given(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hash; /* NULL: it is none */
    } cases[] = {
        {"a4f49c406510bdcab6824ee7c30fd852", "a4f49c406510bdcab6824ee7c30fd852"},
        {"A4F49C406510BDCAB6824EE7C30FD852", "a4f49c406510bdcab6824ee7c30fd852"},
        {"a4f49c406510bdcab6824ee7c30fd85", NULL},
        {"a4f49c406510bdcab6824ee7c30fd8522", NULL},
        {"a4f49c406510bdcab6824ee7c30fd85g", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct secret hex = {0};
        struct err e = {0};
        assert_int_equal(nt_hash_is(span_str(cases[i].text)), cases[i].hash != NULL);
        assert_int_equal(nt_hash_take(&hex, span_str(cases[i].text), &e), cases[i].hash != NULL);
        if (cases[i].hash)
            assert_string_equal(secret_reveal(&hex).p, cases[i].hash);
        secret_free(&hex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hashes), cmocka_unit_test(given)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
