/* Basic (RFC 7617): the value, and what cannot be sent with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "keys/basic.h"

static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *user, *password, *wanted;
    } cases[] = {
        {"Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}, /* RFC 7617 section 2 */
        {"test", "123\xc2\xa3", "Basic dGVzdDoxMjPCow=="},                /* RFC 7617 section 2.1 */
        {"alice", "a:b::", "Basic YWxpY2U6YTpiOjo="},
        {"", "", "Basic Og=="},
        {"CORP\\alice", "", "Basic Q09SUFxhbGljZTo="},
        {"J\xc3\xbcrgen", "\xf0\x9f\x94\x91", "Basic SsO8cmdlbjrwn5SR"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct secret out = {0};
        const char *why = "untouched";
        assert_true(basic_header(&out, span_str(cases[i].user), span_str(cases[i].password), &why));
        assert_string_equal(secret_reveal(&out).p, cases[i].wanted);
        assert_null(why);
        secret_free(&out);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        struct span user, password;
        const char *word;
    } cases[] = {
        {SPAN("a:b"), SPAN("x"), "colon"},       {SPAN(":"), SPAN("x"), "colon"},
        {SPAN("a\nb"), SPAN("x"), "user name"},  {SPAN("a\0b"), SPAN("x"), "user name"},
        {SPAN("a\x7f"), SPAN("x"), "user name"}, {SPAN("a"), SPAN("x\r"), "password"},
        {SPAN("a"), SPAN("\0"), "password"},     {SPAN("a"), SPAN("\x1f"), "password"},
        {SPAN("a"), SPAN("\x7f"), "password"},   {SPAN("a"), SPAN("\t"), "password"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct secret out = {0};
        const char *why = NULL;
        assert_false(basic_header(&out, cases[i].user, cases[i].password, &why));
        assert_non_null(why);
        assert_non_null(strstr(why, cases[i].word));
        assert_false(secret_present(&out));
    }
}

static void test_long(void **state)
{
    (void)state;
    static char password[300001];
    memset(password, 'p', sizeof password - 1);
    struct secret out = {0};
    const char *why;
    assert_true(basic_header(&out, SPAN("alice"), span_str(password), &why));
    assert_int_equal(secret_reveal(&out).n, 6 + (sizeof password - 1 + 6 + 2) / 3 * 4);
    secret_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests_name("basic", tests, NULL, NULL);
}
