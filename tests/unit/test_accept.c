/* The server's side of authentication, the parts that need neither a gateway nor a library: hashes of htpasswd, nonces and their counts, delays, and what clients'
   tokens must look like. The schemes as a whole: tests/keys/test_accept.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>

#include "keys/accept_basic.h"
#include "keys/accept_check.h"
#include "keys/accept_mend.h"
#include "keys/accept_delay.h"
#include "keys/accept_digest.h"
#include "keys/basic_hash.h"
#include "keys/digest_hash.h"
#include "keys/digest_nonce.h"

static bool is(const char *hash, const char *password)
{
    struct secret p = {0};
    secret_set(&p, span_str(password));
    bool same = basic_hash_is(span_str(hash), &p);
    secret_free(&p);
    return same;
}

static void test_hashes(void **state)
{
    (void)state;
    static const struct {
        const char *hash, *password;
        bool slow;
    } rows[] = {
        {"$apr1$FSCYONUX$mlTHKZWVeHTjAX9N6JyLG1", "Password", false},
        {"{SHA}i+PJQ7Fgn/+/xRqtZm0KBK34PJ0=", "Password", false},
        {"$2y$05$MHzo2JtJEx2k3PDxdYF98.PX0oPLPqNTJHz0OWjUJKa8Zcscr3xE.", "Password", true},
        {"$5$Ko6kEMk88yLteY.I$uL7awGnR6gN4NrPl3CDTAjW.XlPEopcLg3CmRh7EajB", "Password", true},
        {"$6$artYPYoCWqBeRl6c$68WowcNUA.Duk.NVIhLZFvlV1eWqRtWwY79XrSmYjcOJRph23WkRn42ajuRp1LGaBZ90Z0jSLx/"
         "8QhnlNzIEa0",
         "Password", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_null(basic_hash_fault(span_str(rows[i].hash)));
        assert_int_equal(basic_hash_is_slow(span_str(rows[i].hash)), rows[i].slow);
        assert_true(is(rows[i].hash, rows[i].password));
        assert_false(is(rows[i].hash, "password"));
        assert_false(is(rows[i].hash, ""));
        assert_false(is(rows[i].hash, "Password "));
        for (size_t n = strlen(rows[i].hash); n-- > 0;) { /* no part of a hash will do */
            char *part = span_dup(span_make(rows[i].hash, n));
            assert_false(is(part, "Password"));
            free(part);
        }
    }
    static const char *const bad[] = {"",
                                      "Password",
                                      "*",
                                      "!",
                                      "$2y$05$MHzo",
                                      "$6$salt",
                                      "sgWoly8us9iq.",
                                      "{SSHA}i+PJQ7Fgn/+/xRqtZm0KBK34PJ0=",
                                      "!$apr1$FSCYONUX$mlTHKZWVeHTjAX9N6JyLG1",
                                      "$apr1$FSCYONUX$mlTHKZWVeHTjAX9N6Jy G1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(basic_hash_fault(span_str(bad[i])));
}

static void test_memo_is_of_hash_and_password(void **state)
{
    (void)state;
    static const char file[] = "alice:$5$Ko6kEMk88yLteY.I$uL7awGnR6gN4NrPl3CDTAjW.XlPEopcLg3CmRh7EajB\n";
    static const char other[] = "alice:$5$Ko6kEMk88yLteY.I$uL7awGnR6gN4NrPl3CDTAjW.XlPEopcLg3CmRh7EajC\n";
    struct users *u = users_parse(SPAN(file), "users"), *changed = users_parse(SPAN(other), "users");
    struct accept_memo *m = accept_memo_new();
    struct accept_basic right, wrong;
    const char *why;
    assert_true(accept_basic_read(&right, SPAN("YWxpY2U6UGFzc3dvcmQ="), &why));
    assert_true(accept_basic_read(&wrong, SPAN("YWxpY2U6cGFzc3dvcmQ="), &why));
    assert_false(accept_basic_is_quick(u, m, &right));
    assert_true(accept_basic_check(u, m, &right));
    assert_true(accept_basic_is_quick(u, m, &right));
    assert_false(accept_basic_check(u, m, &wrong));
    assert_false(accept_basic_is_quick(u, m, &wrong)); /* a wrong one is never known */
    assert_false(accept_basic_is_quick(changed, m, &right));
    assert_false(accept_basic_check(changed, m, &right));
    accept_basic_free(&right);
    accept_basic_free(&wrong);
    accept_memo_free(m);
    users_unref(u);
    users_unref(changed);
}

static void test_nonces(void **state)
{
    (void)state;
    struct nonce_mint *m = nonce_mint_new(), *other = nonce_mint_new();
    char nonce[NONCE_DIGITS + 1];
    nonce_make(m, 1000, nonce);
    assert_int_equal(nonce_age(m, span_str(nonce), 1000), 0);
    assert_int_equal(nonce_age(m, span_str(nonce), 301000), 300000);
    assert_int_equal(nonce_age(m, span_str(nonce), 999), -1); /* of the future */
    assert_int_equal(nonce_age(other, span_str(nonce), 1000), -1);
    for (size_t i = 0; i < NONCE_DIGITS; i++) { /* each digit counts */
        char c = nonce[i];
        nonce[i] = c == '0' ? '1' : '0';
        assert_int_equal(nonce_age(m, span_str(nonce), INT64_MAX), -1);
        nonce[i] = c;
    }
    nonce_mint_free(m);
    nonce_mint_free(other);
}

/* More nonces than there are places: the oldest go, and nothing that has gone is taken again. */
static void test_nonces_beyond_the_table(void **state)
{
    (void)state;
    struct nonce_mint *m = nonce_mint_new();
    static char nonces[NONCE_PLACES + 10][NONCE_DIGITS + 1];
    for (int i = 0; i < NONCE_PLACES + 10; i++) {
        nonce_make(m, 1000 + i, nonces[i]);
        if (i != 5)
            assert_true(nonce_count(m, span_str(nonces[i]), 1));
    }
    for (int i = 0; i < NONCE_PLACES + 10; i++)
        assert_false(nonce_count(m, span_str(nonces[i]), 1));
    assert_false(nonce_count(m, span_str(nonces[0]), 2)); /* gone: nobody knows */
    assert_false(nonce_count(m, span_str(nonces[5]), 1)); /* never used, but older than one that has gone */
    assert_true(nonce_count(m, span_str(nonces[NONCE_PLACES]), 2));
    assert_false(nonce_count(m, span_str(nonces[NONCE_PLACES]), 0));
    nonce_mint_free(m);
}

/* The time alone does not tell what has gone from what is new: of one moment, nothing new is taken after the first has gone. */
static void test_nonces_of_one_moment(void **state)
{
    (void)state;
    struct nonce_mint *m = nonce_mint_new();
    static char nonces[NONCE_PLACES + 1][NONCE_DIGITS + 1];
    for (int i = 0; i <= NONCE_PLACES; i++) {
        nonce_make(m, 1000, nonces[i]);
        assert_true(nonce_count(m, span_str(nonces[i]), 1));
    }
    for (int i = 0; i <= NONCE_PLACES; i++)
        assert_false(nonce_count(m, span_str(nonces[i]), 1));
    nonce_mint_free(m);
}

/* Who comes late drives out nobody who is younger: else the next to go would be older than what has gone. */
static void test_nonce_that_is_the_oldest(void **state)
{
    (void)state;
    struct nonce_mint *m = nonce_mint_new();
    char old[NONCE_DIGITS + 1], young[NONCE_DIGITS + 1];
    nonce_make(m, 1000, old);
    for (int i = 0; i < NONCE_PLACES; i++) {
        nonce_make(m, 2000 + i, young);
        assert_true(nonce_count(m, span_str(young), 1));
    }
    assert_false(nonce_count(m, span_str(old), 1));
    nonce_mint_free(m);
}

static void test_old_nonce_is_stale(void **state)
{
    (void)state;
    static const char file[] = "alice:exeat:b6bcb4d1c9b8c8a9b6bcb4d1c9b8c8a9\n";
    static const enum digest_hash hashes[] = {HASH_SHA256, HASH_MD5};
    struct digest_gate *g = digest_gate_new("exeat", hashes, 2);
    struct users *u = users_parse(SPAN(file), "users");
    struct buf lines = {0};
    assert_true(digest_gate_can(g, u));
    digest_gate_offer(g, u, true, 0, &lines);
    assert_non_null(strstr(buf_cstr(&lines), "stale=true"));
    assert_null(strstr(buf_cstr(&lines), "SHA-256"));
    buf_free(&lines);
    users_unref(u);
    digest_gate_free(g);
}

/* Whatever is asked for, it is found or not in the same steps: of every number of users each one, and nobody else. */
static void test_hidden_names(void **state)
{
    (void)state;
    EVP_MD *md = digest_algorithm_fetch(digest_algorithm_find("MD5"));
    char hex[DIGEST_HEX_SIZE], name[16];
    for (int n = 0; n < 9; n++) {
        struct buf text = {0};
        for (int i = 0; i < n; i++)
            buf_addf(&text, "user%d:exeat:b6bcb4d1c9b8c8a9b6bcb4d1c9b8c8a9\n", i);
        struct users *u = users_parse(buf_span(&text), "users");
        for (int i = 0; i <= n; i++) {
            snprintf(name, sizeof name, "user%d", i);
            DIGEST_HASH(md, hex, span_str(name), SPAN("exeat"));
            struct span found = users_hidden(u, USERS_MD5, span_str(hex));
            assert_true(span_eq(found, i < n ? span_str(name) : SPAN("")));
            assert_int_equal(users_hidden(u, USERS_SHA256, span_str(hex)).n, 0);
            assert_int_equal(users_hidden(u, USERS_MD5, span_head(span_str(hex), 31)).n, 0);
            DIGEST_HASH(md, hex, span_str(name), SPAN("other"));
            assert_int_equal(users_hidden(u, USERS_MD5, span_str(hex)).n, 0);
        }
        buf_free(&text);
        users_unref(u);
    }
    EVP_MD_free(md);
}

static unsigned wrong(struct delays *d, const char *gateway, const char *account, const char *network,
                      int64_t now)
{
    return delay_after(d, &(struct attempt){gateway, account, network, now});
}

static bool allows(struct delays *d, const char *gateway, const char *account, const char *network,
                   int64_t now)
{
    return delay_allows(d, &(struct attempt){gateway, account, network, now});
}

static void test_delays(void **state)
{
    (void)state;
    struct delays *d = delays_new();
    assert_int_equal(wrong(d, "a", "alice", "", 0), 500);
    assert_int_equal(wrong(d, "a", "Alice", "", 1), 1000);
    assert_int_equal(wrong(d, "b", "alice", "", 1), 500);
    assert_int_equal(wrong(d, "a", "alice", "", DELAY_FORGET_MS), 2000);
    assert_int_equal(wrong(d, "a", "alice", "", 2 * DELAY_FORGET_MS), 500);
    for (int i = 0; i < 100; i++)
        assert_true(wrong(d, "a", "alice", "", 2 * DELAY_FORGET_MS) <= DELAY_MOST_MS);
    delays_free(d);
}

/* Names that are tried once do not make one forgotten that is tried a lot. */
static void test_delays_are_not_forgotten_for_others(void **state)
{
    (void)state;
    struct delays *d = delays_new();
    char name[32];
    wrong(d, "a", "alice", "", 0);
    wrong(d, "a", "alice", "", 0);
    for (int i = 0; i < 2 * DELAY_PLACES; i++) {
        snprintf(name, sizeof name, "user%d", i);
        wrong(d, "a", name, "", 1 + i);
    }
    assert_int_equal(wrong(d, "a", "alice", "", 5000), 2000);
    delays_free(d);
}

static void test_wrong_ones_at_once(void **state)
{
    (void)state;
    struct delays *d = delays_new();
    char network[32];
    for (unsigned i = 0; i < WRONG_OF_PAIR; i++) {
        assert_true(allows(d, "a", "alice", "here", 0));
        wrong(d, "a", "alice", "here", 0);
    }
    assert_false(allows(d, "a", "ALICE", "here", 499));
    assert_true(allows(d, "a", "alice", "here", 500)); /* the first has its answer */
    assert_true(allows(d, "a", "alice", "there", 0));
    assert_true(allows(d, "a", "bob", "here", 0));
    assert_true(allows(d, "b", "alice", "here", 0));
    for (unsigned i = WRONG_OF_PAIR; i < WRONG_OF_ACCOUNT; i++) { /* from everywhere */
        snprintf(network, sizeof network, "network %u", i);
        assert_true(allows(d, "a", "alice", network, 0));
        wrong(d, "a", "alice", network, 0);
    }
    assert_false(allows(d, "a", "alice", "there", 0));
    assert_true(allows(d, "a", "alice", "there", DELAY_MOST_MS));
    delays_free(d);
}

static void test_wrong_ones_of_a_network(void **state)
{
    (void)state;
    struct delays *d = delays_new();
    char name[32];
    for (unsigned i = 0; i < WRONG_OF_NETWORK; i++) {
        snprintf(name, sizeof name, "user%u", i);
        assert_true(allows(d, "a", name, "here", 0));
        wrong(d, "a", name, "here", 0);
        wrong(d, "a", name, "", 0); /* of nobody knows where: not of one place */
    }
    assert_false(allows(d, "a", "carol", "here", 0));
    assert_true(allows(d, "a", "carol", "there", 0));
    assert_true(allows(d, "a", "carol", "", 0));
    delays_free(d);
}

/* As wrong passwords are counted: one account, however its domain is written, and whether it is there or not. */
static void test_accounts(void **state)
{
    (void)state;
    static const struct {
        const char *domain, *user, *own, *account;
    } rows[] = {
        {"", "alice", NULL, "alice"},
        {"", "alice", "CORP", "alice"},
        {"corp", "alice", "CORP", "alice"},
        {"", "CORP\\alice", "CORP", "alice"},
        {"", "alice@corp.x", "CORP", "alice"},
        {"OTHER", "alice", "CORP", "OTHER\\alice"},
        {"OTHER", "alice", NULL, "OTHER\\alice"},
        {"", "alice@other", "CORP", "alice@other"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *account = users_account(span_str(rows[i].domain), span_str(rows[i].user), rows[i].own);
        assert_string_equal(account, rows[i].account);
        free(account);
    }
}

/* Work is counted by what crypt(3) is asked: the same settings for who is there and for who is not. */
static unsigned computed;
static bool saw_other_form;

char *crypt_r(const char *phrase, const char *setting, struct crypt_data *data)
{
    computed++;
    saw_other_form |= strncmp(setting, "$5$", 3) != 0;
    return crypt_rn(phrase, setting, data, (int)sizeof *data);
}

static void test_unknown_users_take_as_long(void **state)
{
    (void)state;
    static const char file[] = "alice:$5$Ko6kEMk88yLteY.I$uL7awGnR6gN4NrPl3CDTAjW.XlPEopcLg3CmRh7EajB\n"
                               "bob:$5$Ko6kEMk88yLteY.I$uL7awGnR6gN4NrPl3CDTAjW.XlPEopcLg3CmRh7EajB\n";
    static const char mixed[] = "alice:$5$Ko6kEMk88yLteY.I$uL7awGnR6gN4NrPl3CDTAjW.XlPEopcLg3CmRh7EajB\n"
                                "bob:{SHA}i+PJQ7Fgn/+/xRqtZm0KBK34PJ0=\n";
    static const char *const tokens[] = {"YWxpY2U6d3Jvbmc=", "bm9ib2R5Ondyb25n", "Ondyb25n"};
    struct users *u = users_parse(SPAN(file), "users"), *other = users_parse(SPAN(mixed), "users");
    const char *why;
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        struct accept_basic b;
        assert_true(accept_basic_read(&b, span_str(tokens[i]), &why));
        computed = 0;
        saw_other_form = false;
        assert_false(accept_basic_is_quick(u, NULL, &b));
        assert_false(accept_basic_check(u, NULL, &b));
        assert_int_equal(computed, 1);
        assert_false(saw_other_form);
        accept_basic_free(&b);
    }
    unsigned quick = 0;
    for (unsigned i = 0; i < 200; i++) { /* the forms of a file stand for nobody as often as for somebody */
        char name[32];
        snprintf(name, sizeof name, "nobody%u", i);
        struct span hash = users_some_password(other, span_str(name));
        assert_true(hash.n > 0);
        assert_ptr_equal(users_some_password(other, span_str(name)).p, hash.p);
        quick += hash.p[0] == '{';
    }
    assert_in_range(quick, 50, 150);
    users_unref(u);
    users_unref(other);
}

static void test_long_passwords(void **state)
{
    (void)state;
    char *password = mem_zero(1001);
    memset(password, 'x', 1000);
    computed = 0;
    assert_false(is("$5$Ko6kEMk88yLteY.I$uL7awGnR6gN4NrPl3CDTAjW.XlPEopcLg3CmRh7EajB", password));
    assert_int_equal(computed, 0);
    free(password);
}

#define S(text)                                                                                              \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }
#define T1      "NTLMSSP\0\1\0\0\0\7\x82\x8\xa2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define T1_CURL "NTLMSSP\0\1\0\0\0\6\x82\x8\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define SPNEGO  "\6\6\x2b\6\1\5\5\2"
#define KRB5    "\6\x9\x2a\x86\x48\x86\xf7\x12\1\2\2"

static void test_tokens(void **state)
{
    (void)state;
    static const struct {
        struct span bytes;
        bool good;
        enum accept_token_form form;
        bool kerberos;
    } rows[] = {
        {S(T1), true, TOKEN_NTLM, false},
        {S("NTLMSSP\0\2\0\0\0"), false, 0, false},
        {S("NTLMSSP\0\3\0\0\0"), false, 0, false},
        {S("NTLMSSP\0"), false, 0, false},
        {S("NTLMSSP\0\1\0\0\0\4\x82\x8\xa2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), false, 0,
         false}, /* neither Unicode nor a code page */
        {S(T1_CURL), true, TOKEN_NTLM, false},
        {S("NTLMSSP\0\1\0\0\0\7\xb2\x8\xa2\xff\0\xff\0\x20\0\0\0\0\0\0\0\0\0\0\0"), false, 0, false},
        {S("\x60\x0b" KRB5), true, TOKEN_KERBEROS, true},
        {S("\x60\x0c" KRB5), false, 0, false},
        {S("\x60\x0b" KRB5 "x"), false, 0, false},
        {S("\x60\x5\6\3\1\2\3"), false, 0, false},
        {S("\x60\x19" SPNEGO "\xa0\xf\x30\xd\xa0\xb\x30\x9\6\7\x2b\6\1\4\1\x82\x37"), true, TOKEN_INIT,
         false},
        {S("\x60\x1d" SPNEGO "\xa0\x13\x30\x11\xa0\xf\x30\xd" KRB5 "\6\0"), false, 0, false},
        {S("\x60\x1b" SPNEGO "\xa0\x11\x30\xf\xa0\xd\x30\xb" KRB5), true, TOKEN_INIT, true},
        {S("\x60\x1b" SPNEGO "\xa0\x11\x30\xf\xa0\xd\x30\xc" KRB5), false, 0, false},
        {S("\x60\x1b" SPNEGO "\xa0\x11\x30\xf\xa1\xd\x30\xb" KRB5), false, 0, false},
        {S("\xa1\x7\x30\x5\xa0\3\xa\1\1"), true, TOKEN_RESPONSE, false},
        {S("\xa1\x9\x30\x7\xa0\3\xa\1\1\5\0"), false, 0, false}, /* something behind the fields */
        {S("\xa1\x9\x30\x7\xa2\x5\4\3"
           "abc"),
         true, TOKEN_RESPONSE, false},
        {S("\xa1\xf\x30\xd\xa2\xb\4\x9NTLMSSP\0\1"), false, 0, false},
        {S("\xa1\x80\x30\x5\xa0\3\xa\1\1"), false, 0, false},
        {S("\xa1\x7\x30\x5\xa0\3\xa\1"), false, 0, false},
        {S(""), false, 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct accept_token token;
        const char *why = NULL;
        char *exact = mem_alloc(rows[i].bytes.n + !rows[i].bytes.n);
        memcpy(exact, rows[i].bytes.p, rows[i].bytes.n);
        bool good = accept_check(span_make(exact, rows[i].bytes.n), false, &token, &why);
        if (good != rows[i].good ||
            (good && (token.form != rows[i].form || token.kerberos != rows[i].kerberos)) || (!good && !why))
            fail_msg("row %zu: %s", i, why ? why : "good");
        free(exact);
    }
}

/* Names in a code page are ASCII; in UTF-16 they are what they were. */
static void test_code_pages(void **state)
{
    (void)state;
    static const char head[] = "NTLMSSP\0\3\0\0\0";
    static const struct {
        const char *name;
        size_t n;
        bool oem, unicode;
    } rows[] = {{"alice", 5, true, false},
                {"a\0l\0", 4, false, true},
                {"al\x80x", 4, false, true},
                {"a\nlx", 4, false, true},
                {"", 0, true, true}};
    struct accept_token token;
    const char *why;
    assert_true(accept_check(SPAN(T1_CURL), false, &token, &why) && token.oem);
    assert_true(accept_check(SPAN(T1), true, &token, &why) && !token.oem);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf m = {0};
        buf_add(&m, head, sizeof head - 1);
        while (m.n < 64)
            buf_add(&m, "", 1);
        m.p[36] = (char)rows[i].n;
        m.p[40] = 64;
        buf_add(&m, rows[i].name, rows[i].n);
        if (accept_check(buf_span(&m), true, &token, &why) != rows[i].oem ||
            accept_check(buf_span(&m), false, &token, &why) != rows[i].unicode)
            fail_msg("row %zu", i);
        buf_free(&m);
    }
}

/* Room for a version, and no version claimed where the payload stands. */
static void test_mend(void **state)
{
    (void)state;
    struct buf m = {0};
    struct accept_token token;
    const char *why;
    buf_add_span(&m, SPAN(T1_CURL));
    assert_true(accept_check(buf_span(&m), false, &token, &why));
    accept_mend(&m, &token);
    assert_int_equal(m.n, 40);
    assert_memory_equal(m.p, T1_CURL, 32);
    assert_int_equal(token.ntlm.n, 40);
    for (int begin = 64; begin <= 72; begin += 8) {
        buf_clear(&m);
        buf_add(&m, "NTLMSSP\0\3\0\0", 11);
        while (m.n < 80)
            buf_add(&m, "", 1);
        m.p[36] = 4;
        m.p[40] = (char)begin;
        m.p[63] = 0x22;
        m.p[64] = m.p[66] = m.p[72] = m.p[74] = 'x';
        assert_true(accept_check(buf_span(&m), false, &token, &why));
        accept_mend(&m, &token);
        assert_int_equal(m.p[63], begin == 64 ? 0x20 : 0x22);
        assert_int_equal(m.n, 80);
    }
    buf_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_memo_is_of_hash_and_password),
        cmocka_unit_test(test_nonces),
        cmocka_unit_test(test_nonces_beyond_the_table),
        cmocka_unit_test(test_nonces_of_one_moment),
        cmocka_unit_test(test_nonce_that_is_the_oldest),
        cmocka_unit_test(test_old_nonce_is_stale),
        cmocka_unit_test(test_hidden_names),
        cmocka_unit_test(test_delays),
        cmocka_unit_test(test_delays_are_not_forgotten_for_others),
        cmocka_unit_test(test_wrong_ones_at_once),
        cmocka_unit_test(test_wrong_ones_of_a_network),
        cmocka_unit_test(test_accounts),
        cmocka_unit_test(test_unknown_users_take_as_long),
        cmocka_unit_test(test_long_passwords),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_code_pages),
        cmocka_unit_test(test_mend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
