/* Whom a gateway's client is acted for: the account's one form, the ticket in the token that brought it, where its secret lies, and whose ticket was handed on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <krb5/krb5.h>
#include <stdlib.h>

#include "keys/accept_evidence.h"
#include "keys/inbound.h"
#include "keys/provider.h"

static void is_account(const char *domain, const char *name, bool kerberos, bool at_home, const char *account)
{
    char *got = inbound_account(domain, name, kerberos, at_home);
    if (!account)
        assert_null(got);
    else if (!got)
        fail_msg("%s is nobody", name);
    else
        assert_string_equal(got, account);
    free(got);
}

static void test_names(void **state)
{
    (void)state;
    is_account("CORP", "CORP\\alice", false, false, "CORP\\alice");
    is_account("CORP", "corp\\alice", false, false, "CORP\\alice");
    is_account("CORP", "CORP\\Alice", false, false, "CORP\\Alice");
    is_account("CORP", "EVIL\\alice", false, false, "EVIL\\alice");
    is_account("CORP", "CORP.EVIL\\alice", false, false, "CORP.EVIL\\alice");
    is_account(NULL, "CORP\\alice", false, false, "CORP\\alice");
    is_account(NULL, "alice", false, false, "alice");
    is_account("CORP", "alice@CORP.EXAMPLE", true, true, "CORP\\alice");
    is_account("CORP.EXAMPLE", "alice@CORP.EXAMPLE", true, true, "CORP.EXAMPLE\\alice");
    is_account("CORP", "alice@CORP.EVIL", true, false, "alice@CORP.EVIL"); /* a realm that ours trusts */
    is_account("CORP", "alice@CORP.EXAMPLE", true, false, "alice@CORP.EXAMPLE");
    is_account("CORP", "alice@CORP.EXAMPLE", false, false,
               "alice@CORP.EXAMPLE"); /* a line of the users' file */
    is_account("CORPORATE", "alice@CORP.EXAMPLE", true, true, "alice@CORP.EXAMPLE");
    is_account(NULL, "alice@CORP.EXAMPLE", true, true, "alice@CORP.EXAMPLE");
    is_account("CORP", "alice/admin@CORP.EXAMPLE", true, true, "CORP\\alice/admin");
    is_account("EVIL", "EVIL\\\\alice@CORP.EXAMPLE", true, true,
               NULL); /* a principal with a backslash in it */
    is_account("CORP", "alice\\@corp@CORP.EXAMPLE", true, true, NULL);
    is_account("CORP", "", false, false, NULL);
    is_account("CORP", "CORP\\", false, false, NULL);
    is_account("CORP", "al\nice", false, false, NULL);
}

#define S(text) span_make(text, sizeof(text) - 1)

/* AP-REQ with a ticket of three bytes. */
#define TICKET                                                                                               \
    "\x61\x03"                                                                                               \
    "abc"
#define REQUEST "\x6e\x17\x30\x15\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x0e\xa2\x02\x03\x00\xa3\x05" TICKET
#define KRB5    "\x60\x26\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00" REQUEST
#define OLD     "\x60\x26\x06\x09\x2a\x86\x48\x82\xf7\x12\x01\x02\x02\x01\x00" REQUEST

#define FIRST                                                                                                \
    "\x60\x47\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x3d\x30\x3b\xa0\x0d\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7"   \
    "\x12\x01"                                                                                               \
    "\x02\x02\xa2\x2a\x04\x28" KRB5
#define LATER "\xa1\x33\x30\x31\xa0\x03\x0a\x01\x01\xa2\x2a\x04\x28" KRB5

static void has_ticket(struct span token)
{
    struct span ticket = accept_evidence(token);
    assert_true(span_eq(ticket, S(TICKET)));
    assert_true(ticket.p > token.p && ticket.p + ticket.n <= token.p + token.n);
}

static void test_evidence(void **state)
{
    (void)state;
    has_ticket(S(KRB5));
    has_ticket(S(OLD));
    has_ticket(S(FIRST));
    has_ticket(S(LATER));
    const struct span none[] = {S(""),         S("\x60"),
                                S("\x60\x00"), S("NTLMSSP"),
                                S("\xa1\x00"), S("\xa1\x02\x30\x00"),
                                S(REQUEST),    S("\x60\x0b\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02")};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(accept_evidence(none[i]).n, 0);
}

/* Cut short anywhere, and each byte spoilt: nothing beyond the token is read, and what comes out lies in it. */
static void spoil(struct span whole)
{
    for (size_t n = 0; n <= whole.n; n++) {
        char *exact = mem_alloc(n ? n : 1);
        memcpy(exact, whole.p, n);
        struct span ticket = accept_evidence(span_make(exact, n));
        assert_true(n == whole.n ? ticket.n : ticket.n == 0);
        for (size_t i = 0; i < n; i++) {
            for (int value = 0; value < 256; value++) {
                char before = exact[i];
                exact[i] = (char)value;
                ticket = accept_evidence(span_make(exact, n));
                assert_true(ticket.n == 0 || (ticket.p >= exact && ticket.p + ticket.n <= exact + n));
                exact[i] = before;
            }
        }
        free(exact);
    }
}

static void test_evidence_spoilt(void **state)
{
    (void)state;
    spoil(S(FIRST));
    spoil(S(LATER));
}

static void is_place(const char *pattern, const char *user, const char *place)
{
    char *got = provider_place(pattern, user);
    if (place)
        assert_string_equal(got, place);
    else
        assert_null(got);
    free(got);
}

static void test_places(void **state)
{
    (void)state;
    is_place("/s/%u", "alice", "/s/alice");
    is_place("/s/%u/%u.txt", "CORP\\alice", "/s/CORP%5Calice/CORP%5Calice.txt");
    is_place("/s/%u", "alice@CORP.EXAMPLE", "/s/alice@CORP.EXAMPLE");
    is_place("/s/%u", "..", "/s/%2E.");
    is_place("/s/%u", ".", "/s/%2E");
    is_place("/s/%u", "../../etc/passwd", "/s/%2E.%2F..%2Fetc%2Fpasswd");
    is_place("/s/%u", "%u", "/s/%25u");
    is_place("/s/%u", "a%2Fb", "/s/a%252Fb");
    is_place("/s/%u", "b\xc3\xa4r ~$`", "/s/b%C3%A4r%20%7E%24%60");
    is_place("/s/%u", "", NULL);
    is_place("/s/%u", NULL, NULL);
    is_place("/s/100%", NULL, "/s/100%");
}

/* The cache of somebody who has a ticket-granting ticket. */
static void fill(const char *name, const char *who)
{
    krb5_context k;
    krb5_ccache cache;
    krb5_creds creds = {0};
    assert_int_equal(krb5_init_context(&k), 0);
    assert_int_equal(krb5_cc_resolve(k, name, &cache), 0);
    assert_int_equal(krb5_parse_name(k, who, &creds.client), 0);
    assert_int_equal(krb5_parse_name(k, "krbtgt/CORP.EXAMPLE@CORP.EXAMPLE", &creds.server), 0);
    creds.times.endtime = (krb5_timestamp)(uint32_t)(time(NULL) + 3600);
    assert_int_equal(krb5_cc_initialize(k, cache, creds.client), 0);
    assert_int_equal(krb5_cc_store_cred(k, cache, &creds), 0);
    krb5_free_principal(k, creds.client);
    krb5_free_principal(k, creds.server);
    krb5_cc_close(k, cache);
    krb5_free_context(k);
}

static bool is_there(const char *name)
{
    krb5_context k;
    krb5_ccache cache;
    krb5_principal who = NULL;
    assert_int_equal(krb5_init_context(&k), 0);
    assert_int_equal(krb5_cc_resolve(k, name, &cache), 0);
    bool there = krb5_cc_get_principal(k, cache, &who) == 0;
    krb5_free_principal(k, who);
    krb5_cc_close(k, cache);
    krb5_free_context(k);
    return there;
}

/* A client may hand on whatever ticket it has; only its own is kept. */
static void test_handed_on(void **state)
{
    (void)state;
    struct ticket t;
    struct err e;
    struct buf none = {0};
    fill("MEMORY:one", "alice@CORP.EXAMPLE");
    assert_true(ticket_adopt("MEMORY:one", "alice@CORP.EXAMPLE", &t, &e));
    struct handed *h = handed_new("alice@CORP.EXAMPLE", &t, &none, 0);
    assert_non_null(handed_ticket(h));
    handed_unref(handed_ref(h));
    assert_true(is_there("MEMORY:one"));
    handed_unref(h);
    assert_false(is_there("MEMORY:one"));
    fill("MEMORY:two", "bob@CORP.EXAMPLE");
    assert_false(ticket_adopt("MEMORY:two", "alice@CORP.EXAMPLE", &t, &e));
    assert_string_equal(e.text, "it is another user's");
    assert_null(t.cache);
    assert_false(is_there("MEMORY:two"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),           cmocka_unit_test(test_evidence),
        cmocka_unit_test(test_evidence_spoilt), cmocka_unit_test(test_places),
        cmocka_unit_test(test_handed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
