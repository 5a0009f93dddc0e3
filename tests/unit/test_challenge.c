/* The grammar of challenges (RFC 9110 section 11): what comes out, what is dropped, and that hostile lines cost no more than their length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "keys/challenge.h"

/* A list as one line: "scheme token68 name=[value] | ...", a quoted value in '...'; then "!n" where n challenges were bad. */
static void show(struct buf *b, const struct challenge_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct challenge *c = &list->items[i];
        buf_addf(b, "%s%s", i ? " | " : "", c->scheme);
        if (c->token68)
            buf_addf(b, " <%s>", c->token68);
        for (size_t p = 0; p < c->n_params; p++)
            buf_addf(b, c->params[p].quoted ? " %s='%s'" : " %s=[%s]", c->params[p].name, c->params[p].value);
    }
    if (list->bad)
        buf_addf(b, "%s!%zu", b->n ? " " : "", list->bad);
}

static void check(struct span lines, const char *wanted)
{
    struct challenge_list list;
    struct buf shown = {0};
    /* a copy of exactly this size: a byte read behind it is seen by the sanitizer */
    char *copy = mem_alloc(lines.n);
    memcpy(copy, lines.p, lines.n);
    challenge_list_read(&list, span_make(copy, lines.n));
    show(&shown, &list);
    if (strcmp(buf_cstr(&shown), wanted) != 0)
        fail_msg("<<%.*s>> gave \"%s\", not \"%s\"", SPAN_ARG(lines), buf_cstr(&shown), wanted);
    challenge_list_free(&list);
    buf_free(&shown);
    free(copy);
}

struct line_case {
    const char *lines, *wanted;
};

static void check_all(const struct line_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check(span_str(cases[i].lines), cases[i].wanted);
}
#define CHECK_ALL(cases) check_all(cases, sizeof(cases) / sizeof *(cases))

static void test_single(void **state)
{
    (void)state;
    static const struct line_case cases[] = {
        {"", ""},
        {"\n", ""},
        {"  \t \n", ""},
        {"NTLM\n", "NTLM"},
        {"NTLM", "NTLM"},
        {"  Negotiate \t\n", "Negotiate"},
        {"NTLM TlRMTVNTUAAC\n", "NTLM <TlRMTVNTUAAC>"},
        {"Negotiate YII=\n", "Negotiate <YII=>"},
        {"Negotiate YI+/==  \n", "Negotiate <YI+/==>"},
        {"Negotiate   abc\n", "Negotiate <abc>"},
        {"x-New.1 -._~+/09azAZ===\n", "x-New.1 <-._~+/09azAZ===>"},
        {"Basic realm=\"here\"\n", "Basic realm='here'"},
        {"Basic realm=here\n", "Basic realm=[here]"},
        {"BASIC REALM=\"Here\"\n", "BASIC realm='Here'"},
        {"Basic realm = \"here\"\n", "Basic realm='here'"},
        {"Basic realm\t=\t\"here\" , charset  =\"UTF-8\"\n", "Basic realm='here' charset='UTF-8'"},
        {"Basic realm=\"\"\n", "Basic realm=''"},
        {"Digest a=1,b=2,c=3\n", "Digest a=[1] b=[2] c=[3]"},
    };
    CHECK_ALL(cases);
}

static void test_quoted(void **state)
{
    (void)state;
    static const struct line_case cases[] = {
        {"Basic realm=\"a, Digest b=\\\"c\\\"\"\n", "Basic realm='a, Digest b=\"c\"'"},
        {"Basic realm=\"back\\\\slash \\q\"\n", "Basic realm='back\\slash q'"},
        {"Basic realm=\"tab\there\"\n", "Basic realm='tab\there'"},
        {"Basic realm=\"B\xc3\xbcro \xe9\"\n", "Basic realm='B\xc3\xbcro \xe9'"},
        {"Basic realm=\"=\", NTLM\n", "Basic realm='=' | NTLM"},
        {"Basic realm=\"ends in a comma,\", NTLM\n", "Basic realm='ends in a comma,' | NTLM"},
        {"Basic realm=\"open\n", "!1"},
        {"Basic realm=\"open\\\n", "!1"},
        {"Basic realm=\"open\\\"\n", "!1"},
        {"Basic realm=\"open, NTLM\nNegotiate\n", "Negotiate !1"},
        {"Basic realm=\"bell\a\", NTLM\n", "NTLM !1"},
        {"Basic realm=\"bell\a, Negotiate , x\", NTLM\n", "NTLM !1"},
        {"Basic realm=\"escaped bell\\\a\", NTLM\n", "NTLM !1"},
        {"Basic realm=\"delete\x7f\", NTLM\n", "NTLM !1"},
        {"Basic realm=\"return\r\", NTLM\n", "NTLM !1"},
        {"Basic realm=\"a\"b, NTLM\n", "NTLM !1"},
        {"Basic realm=\"a\" \"b\", NTLM\n", "NTLM !1"},
        {"Basic realm=a\"b, c\", NTLM\n", "NTLM !1"},
        {"Basic realm=a \"b\\\", Negotiate , c\", NTLM\n", "NTLM !1"},
    };
    CHECK_ALL(cases);
    check(SPAN("Basic realm=\"nul\0\", NTLM\n"), "NTLM !1");
    check(SPAN("Basic realm=nul\0, NTLM\n"), "NTLM !1");
    check(SPAN("Bas\0ic realm=x, NTLM\n"), "NTLM !1");
    check(SPAN("\0, NTLM\n"), "NTLM !1");
}

static void test_several(void **state)
{
    (void)state;
    static const struct line_case cases[] = {
        {"Negotiate, NTLM, Basic realm=\"x\"\n", "Negotiate | NTLM | Basic realm='x'"},
        {"Negotiate\nNTLM\nBasic realm=\"x\"\n", "Negotiate | NTLM | Basic realm='x'"},
        {"Negotiate YII=, Basic realm=\"x\"\n", "Negotiate <YII=> | Basic realm='x'"},
        {"Negotiate YII== ,\tNTLM TlR=\n", "Negotiate <YII==> | NTLM <TlR=>"},
        {"Negotiate,NTLM\n", "Negotiate | NTLM"},
        {", ,\t,Negotiate,, NTLM , ,\n", "Negotiate | NTLM"},
        {",\n", ""},
        {"Digest a=1, b=\"2\", Basic realm=\"x\", Digest c=3\n",
         "Digest a=[1] b='2' | Basic realm='x' | Digest c=[3]"},
        {"Digest a=1, , b=2,, NTLM\n", "Digest a=[1] b=[2] | NTLM"},
        {"Digest , a=1, NTLM\n", "Digest a=[1] | NTLM"},
        {"Digest, a=1\n", "Digest a=[1]"},
        {"Digest qop=auth, Basic\n", "Digest qop=[auth] | Basic"},
        /* the word behind the comma begins a challenge: no "=" behind it */
        {"Digest a=1, b c=2\n", "Digest a=[1] | b c=[2]"},
        {"Digest a=1, b\n", "Digest a=[1] | b"},
        {"Digest a=1, b =2\n", "Digest a=[1] b=[2]"},
        {"Digest a=1, b\t=\t2\n", "Digest a=[1] b=[2]"},
        /* parameters do not go on over the end of a line */
        {"Digest a=1\nb=2\n", "Digest a=[1] !1"},
        {"Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"\n",
         "Newauth realm='apps' type=[1] title='Login to \"apps\"' | Basic realm='simple'"},
    };
    CHECK_ALL(cases);
}

static void test_loose_values(void **state)
{
    (void)state;
    static const struct line_case cases[] = {
        {"Digest nonce=abc==, opaque=x/y+z=\n", "Digest nonce=[abc==] opaque=[x/y+z=]"},
        {"Bearer authorization_uri=https://id.example/?a=b&c=(d)\n",
         "Bearer authorization_uri=[https://id.example/?a=b&c=(d)]"},
        {"Basic realm=B\xfcro\n", "Basic realm=[B\xfcro]"},
        {"Basic realm=two words\n", "!1"},
        {"Basic realm=back\\slash\n", "!1"},
    };
    CHECK_ALL(cases);
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct line_case cases[] = {
        {"realm=\"x\"\n", "!1"},
        {"realm=\"x\", other=\"y\", Basic realm=\"z\"\n", "Basic realm='z' !1"},
        {"=x, NTLM\n", "NTLM !1"},
        {"\"quoted, NTLM\", NTLM\n", "NTLM !1"},
        {"Basic realm\n", "Basic <realm>"},
        {"Basic realm=\n", "Basic <realm=>"},
        {"Basic realm= , NTLM\n", "Basic <realm=> | NTLM"},
        {"Digest realm=, nonce=\"n\", NTLM\n", "NTLM !1"},
        {"Digest a=1, nonce=, NTLM\n", "NTLM !1"},
        {"Digest a=1, nonce=, b=2, NTLM\n", "NTLM !1"},
        {"Negotiate YII=, realm=\"x\", NTLM\n", "NTLM !1"},
        {"Negotiate YII== YII=, NTLM\n", "NTLM !1"},
        {"Negotiate YII YII, NTLM\n", "NTLM !1"},
        {"Negotiate Y=II, NTLM\n", "Negotiate y=[II] | NTLM"},
        {"Negotiate ====, NTLM\n", "NTLM !1"},
        {"Negotiate:x, NTLM\n", "NTLM !1"},
        {"Negotiate/x, NTLM\n", "NTLM !1"},
        {"Neg@tiate, NTLM\n", "NTLM !1"},
        {"N\xe9gotiate, NTLM\n", "NTLM !1"},
        {"Digest realm=\"a\", Realm=\"b\", NTLM\n", "NTLM !1"},
        {"Digest realm=\"a\", nonce=\"n\", realm=\"a\"\nNTLM\n", "NTLM !1"},
        {"Digest realm=\"a\" nonce=\"n\", NTLM\n", "NTLM !1"},
        {"Basic realm=\"a\", realm=\"b\", Basic realm=\"c\", Digest =\n", "!2"},
        {"NTLM\r\n", "!1"},
        {"Digest a=1, (b), c=2, NTLM\n", "Digest a=[1] | NTLM !1"},
    };
    CHECK_ALL(cases);
}

static void test_names(void **state)
{
    (void)state;
    struct challenge_list list;
    challenge_list_read(&list, SPAN("dIGEST Realm=\"x\"\nNTLMv2\n"));
    assert_int_equal(list.n, 2);
    assert_true(challenge_is(&list.items[0], "Digest"));
    assert_false(challenge_is(&list.items[0], "Diges"));
    assert_false(challenge_is(&list.items[1], "NTLM"));
    assert_string_equal(challenge_param(&list.items[0], "realm"), "x");
    assert_null(challenge_param(&list.items[0], "real"));
    challenge_list_free(&list);
    assert_int_equal(list.n, 0);

    struct challenge none = {0};
    assert_false(challenge_is(&none, "Digest"));
}

static void test_info(void **state)
{
    (void)state;
    struct challenge c;
    assert_true(challenge_read_info(&c, SPAN(" nextnonce=\"a, b\", , QOP=auth ,nc=00000001,")));
    assert_null(c.scheme);
    assert_int_equal(c.n_params, 3);
    assert_string_equal(challenge_param(&c, "nextnonce"), "a, b");
    assert_string_equal(challenge_param(&c, "qop"), "auth");
    assert_string_equal(challenge_param(&c, "nc"), "00000001");
    challenge_free(&c);
    assert_true(challenge_read_info(&c, SPAN("")));
    assert_int_equal(c.n_params, 0);
    static const char *const bad[] = {"Digest a=1", "a",       "a=1 b=2",  "a=1, a=2",
                                      "a=\"",       "a=1, =2", "a=1;b=2 c"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (challenge_read_info(&c, span_str(bad[i])))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_int_equal(c.n_params, 0);
        assert_null(c.params);
    }
}

/* Many of something in one line: what comes out is bounded, nothing is lost but what is beyond the bound. */
static void check_many(const char *front, const char *piece, size_t times, size_t wanted_n, size_t wanted_bad)
{
    struct buf b = {0};
    buf_add_str(&b, front);
    for (size_t i = 0; i < times; i++)
        buf_addf(&b, piece, i);
    struct challenge_list list;
    challenge_list_read(&list, buf_span(&b));
    if (list.n != wanted_n || list.bad != wanted_bad)
        fail_msg("%s%s x %zu: %zu good and %zu bad", front, piece, times, list.n, list.bad);
    challenge_list_free(&list);
    buf_free(&b);
}

static void test_many(void **state)
{
    (void)state;
    check_many("", "A%zu,", 64, 64, 0);
    check_many("", "A%zu,", 300000, 64, 300000 - 64);
    check_many("Digest ", "p%zu=1,", 64, 1, 0);
    check_many("Digest ", "p%zu=1,", 65, 0, 1);
    check_many("Digest ", "p%zu=\"\",", 300000, 0, 1);
    check_many("x=1,", "p%zu=\"\\\"\",", 300000, 0, 1);
    check_many("Basic realm=\"", "\\\"%zu", 300000, 0, 1);
    check_many("Basic a=", "b\",%zu", 300001, 0, 150001); /* every other comma stands between quotes */
    check_many("", "%zu=\n", 300000, 0, 300000);
    check_many("N ", "=%zu", 300000, 0, 1);
    check_many("Digest opaque=\"", "%zu", 300000, 0, 1);
}

static void test_long_values(void **state)
{
    (void)state;
    struct buf b = {0}, value = {0};
    for (size_t i = 0; i < 200000; i++)
        buf_add_str(&value, "x");
    buf_addf(&b, "Digest realm=\"%s\"\nNegotiate %s==\n", buf_cstr(&value), buf_cstr(&value));
    struct challenge_list list;
    challenge_list_read(&list, buf_span(&b));
    assert_int_equal(list.n, 2);
    assert_string_equal(challenge_param(&list.items[0], "realm"), buf_cstr(&value));
    assert_int_equal(strlen(list.items[1].token68), value.n + 2);
    challenge_list_free(&list);
    buf_free(&b);
    buf_free(&value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single),      cmocka_unit_test(test_quoted),
        cmocka_unit_test(test_several),     cmocka_unit_test(test_loose_values),
        cmocka_unit_test(test_malformed),   cmocka_unit_test(test_names),
        cmocka_unit_test(test_info),        cmocka_unit_test(test_many),
        cmocka_unit_test(test_long_values),
    };
    return cmocka_run_group_tests_name("challenge", tests, NULL, NULL);
}
