/* User names: the three forms, the key that decides who shares an account, and which Kerberos principal is whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keys/account.h"

static const struct {
    const char *text;
    bool good;
    enum account_form form;
    const char *user, *domain, *key;
} forms[] = {
    {"", true, ACCOUNT_NONE, "", "", "@"},
    {"alice", true, ACCOUNT_PLAIN, "alice", "", "alice@"},
    {"CORP\\alice", true, ACCOUNT_DOWN_LEVEL, "alice", "CORP", "alice@corp"},
    {"Alice@corp.example", true, ACCOUNT_UPN, "Alice", "corp.example", "alice@corp"},
    {"CORP\\al@ice", true, ACCOUNT_DOWN_LEVEL, "al@ice", "CORP", "al@ice@corp"},
    {"a@b@CORP.EXAMPLE", true, ACCOUNT_UPN, "a@b", "CORP.EXAMPLE", "a@b@corp"},
    {"jürgen@CORP", true, ACCOUNT_UPN, "jürgen", "CORP", "jürgen@corp"},
    {"\\alice", false, ACCOUNT_NONE, NULL, NULL, NULL},
    {"CORP\\", false, ACCOUNT_NONE, NULL, NULL, NULL},
    {"@CORP", false, ACCOUNT_NONE, NULL, NULL, NULL},
    {"alice@", false, ACCOUNT_NONE, NULL, NULL, NULL},
    {"al\nice", false, ACCOUNT_NONE, NULL, NULL, NULL},
    {"al\x7fice", false, ACCOUNT_NONE, NULL, NULL, NULL},
};

static void parses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct account a;
        const char *why = NULL;
        assert_int_equal(account_parse(&a, span_str(forms[i].text), &why), forms[i].good);
        if (!forms[i].good) {
            assert_non_null(why);
            assert_null(a.user);
            continue;
        }
        assert_int_equal(a.form, forms[i].form);
        assert_string_equal(a.text, forms[i].text);
        assert_string_equal(a.user, forms[i].user);
        assert_string_equal(a.domain, forms[i].domain);
        assert_string_equal(a.key, forms[i].key);
        struct account copy;
        account_copy(&copy, &a);
        account_free(&a);
        assert_string_equal(copy.key, forms[i].key);
        account_free(&copy);
    }
}

static void default_domain(void **state)
{
    (void)state;
    static const struct {
        const char *text, *domain, *qualified, *key;
    } rows[] = {
        {"alice", "CORP", "CORP\\alice", "alice@corp"},
        {"alice", "Corp.Example", "Corp.Example\\alice", "alice@corp"},
        {"LAB\\alice", "CORP", "LAB\\alice", "alice@lab"},
        {"alice@LAB", "CORP", "alice@LAB", "alice@lab"},
        {"alice", NULL, "alice", "alice@"},
        {"", "CORP", "", "@"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct account a, copy;
        const char *why;
        assert_true(account_parse(&a, span_str(rows[i].text), &why));
        account_default_domain(&a, rows[i].domain);
        account_copy(&copy, &a);
        account_free(&a);
        assert_string_equal(copy.text, rows[i].text); /* Basic and Digest send what was written */
        assert_string_equal(copy.qualified, rows[i].qualified);
        assert_string_equal(copy.key, rows[i].key);
        account_free(&copy);
    }
}

static const struct {
    const char *account, *principal;
    bool same;
} principals[] = {
    {"", "anybody@ANYWHERE", true},
    {"alice", "alice@CORP.EXAMPLE", true},
    {"alice", "bob@CORP.EXAMPLE", false},
    {"alice", "alice2@CORP.EXAMPLE", false},
    {"CORP\\alice", "Alice@CORP.EXAMPLE", true},
    {"CORP\\alice", "alice@CORP", true},
    {"CORP\\alice", "alice@CORPUS.EXAMPLE", false},
    {"CORP\\alice", "alice@OTHER.EXAMPLE", false},
    {"alice@corp.example", "alice@CORP.EXAMPLE", true},
    {"alice@CORP", "alice@CORP.EXAMPLE", false},
    {"alice@CORP.EXAMPLE", "alice@SUB.CORP.EXAMPLE", false},
    {"alice", "alice/admin@CORP.EXAMPLE", false},
};

static void knows_principals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof principals / sizeof *principals; i++) {
        struct account a;
        const char *why;
        assert_true(account_parse(&a, span_str(principals[i].account), &why));
        if (account_is_principal(&a, span_str(principals[i].principal)) != principals[i].same)
            fail_msg("%s and %s", principals[i].account, principals[i].principal);
        account_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parses), cmocka_unit_test(default_domain),
                                       cmocka_unit_test(knows_principals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
