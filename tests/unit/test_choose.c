/* The choice among challenges: the configuration's order, as far as offered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keys/choose.h"

#define N SCHEME_BIT(AUTH_NEGOTIATE)
#define M SCHEME_BIT(AUTH_NTLM)
#define D SCHEME_BIT(AUTH_DIGEST)
#define B SCHEME_BIT(AUTH_BASIC)

static const struct {
    const char *lines;
    unsigned offered;
    const char *described;
} offers[] = {
    {"Negotiate\nNTLM\nBasic realm=x\n", N | M | B, "Negotiate, NTLM, Basic"},
    {"basic realm=\"a, NTLM\", ntlm\n", M | B, "basic, ntlm"},
    {"Digest realm=x, nonce=y\n", D, "Digest"},
    {"Digest realm=x, nonce=y, algorithm=ROT13\n", 0, "Digest"},
    {"Digest realm=x, nonce=y, algorithm=ROT13, Digest realm=x, nonce=z\n", D, "Digest"},
    {"Digest realm=x, nonce=y, qop=telepathy\n", 0, "Digest"},
    {"Bearer\nHawk\n", 0, "Bearer, Hawk"},
    {"", 0, ""},
};

static void reads_offers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
        struct challenge_list list = {0};
        struct buf text = {0};
        challenge_list_read(&list, span_str(offers[i].lines));
        assert_int_equal(choose_offered(&list), offers[i].offered);
        choose_describe(&list, &text);
        assert_string_equal(buf_cstr(&text), offers[i].described);
        buf_free(&text);
        challenge_list_free(&list);
    }
}

static void takes_the_first_digest_that_it_can_answer(void **state)
{
    (void)state;
    struct challenge_list list = {0};
    challenge_list_read(&list,
                        SPAN("Digest realm=x, nonce=no, algorithm=ROT13\n"
                             "Digest realm=x, nonce=yes, algorithm=SHA-256\nDigest realm=x, nonce=late\n"));
    const struct challenge *c = choose_challenge(&list, AUTH_DIGEST);
    assert_non_null(c);
    assert_string_equal(challenge_param(c, "nonce"), "yes");
    challenge_list_free(&list);
}

static const struct {
    enum auth_scheme auth[AUTH_SCHEMES];
    size_t n;
    unsigned offered, tried;
    enum auth_scheme chosen;
} choices[] = {
    {{AUTH_NEGOTIATE, AUTH_NTLM, AUTH_DIGEST}, 3, N | M | D | B, 0, AUTH_NEGOTIATE},
    {{AUTH_NEGOTIATE, AUTH_NTLM, AUTH_DIGEST}, 3, N | M | D | B, N, AUTH_NTLM},
    {{AUTH_NEGOTIATE, AUTH_NTLM, AUTH_DIGEST}, 3, B, 0, AUTH_SCHEMES}, /* Basic only where named */
    {{AUTH_NEGOTIATE, AUTH_NTLM, AUTH_DIGEST}, 3, N | M | D | B, N | M | D, AUTH_SCHEMES},
    {{AUTH_BASIC, AUTH_NTLM}, 2, M | B, 0, AUTH_BASIC}, /* our order, not the proxy's */
    {{AUTH_NTLM}, 1, N, 0, AUTH_SCHEMES},
    {{0}, 0, N | M | D | B, 0, AUTH_SCHEMES},
};

static void chooses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        struct config_upstream u = {.n_auth = choices[i].n};
        memcpy(u.auth, choices[i].auth, sizeof u.auth);
        assert_int_equal(choose_next(&u, choices[i].offered, choices[i].tried), choices[i].chosen);
    }
}

static const struct {
    const char *lines;
    enum floor_level level;
} digests[] = {
    {"Basic realm=x\n", FLOOR_NONE},
    {"Digest realm=x, nonce=y\n", FLOOR_DIGEST},
    {"Digest realm=x, nonce=y, qop=auth, algorithm=md5-SESS\n", FLOOR_DIGEST},
    {"Digest realm=x, nonce=y, algorithm=SHA-256\n", FLOOR_DIGEST_SHA2},
    {"Digest realm=x, nonce=y, algorithm=ROT13, Digest realm=x, nonce=z, algorithm=SHA-256-sess, qop=auth\n",
     FLOOR_DIGEST_SHA2},
    /* the first one would be answered, so that one counts */
    {"Digest realm=x, nonce=y, algorithm=MD5\nDigest realm=x, nonce=z, algorithm=SHA-256\n", FLOOR_DIGEST},
};

static void tells_how_strong_a_digest_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof digests / sizeof *digests; i++) {
        struct challenge_list list = {0};
        challenge_list_read(&list, span_str(digests[i].lines));
        assert_int_equal(choose_digest_level(&list), digests[i].level);
        challenge_list_free(&list);
    }
}

/* What the text of the configuration says decides, whatever a name may resolve to. */
static const struct {
    const char *host;
    bool tls, in_clear, allowed;
} clears[] = {
    {"proxy.corp.example", false, false, false},
    {"proxy.corp.example", false, true, true},
    {"proxy.corp.example", true, false, true},
    {"10.0.0.1", false, false, false},
    {"127.0.0.1", false, false, true},
    {"127.255.0.9", false, false, true},
    {"::1", false, false, true},
    {"::2", false, false, false},
    {"localhost", false, false, true},
    {"LocalHost", false, false, true},
    {"localhost.", false, false, false},
    {"localhost.corp.example", false, false, false},
    {"127.0.0.1.corp.example", false, false, false},
    {"0.0.0.0", false, false, false},
};

static void basic_stays_out_of_clear_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof clears / sizeof *clears; i++) {
        struct config_proxy p = {
            .host = (char *)(uintptr_t)clears[i].host, .port = 8080, .tls = clears[i].tls};
        struct config_upstream u = {.proxies = &p,
                                    .n_proxies = 1,
                                    .auth = {AUTH_DIGEST, AUTH_BASIC},
                                    .n_auth = 2,
                                    .basic_in_clear = clears[i].in_clear};
        if (choose_allowed(&u, span_str(p.host), 8080) != (clears[i].allowed ? D | B : D))
            fail_msg("%s (%zu)", p.host, i);
        u.n_auth = 1; /* where it is not named it is not used anywhere */
        assert_int_equal(choose_allowed(&u, span_str(p.host), 8080), D);
    }
}

static void one_address_with_and_without_tls_is_clear_text(void **state)
{
    (void)state;
    char host[] = "proxy.corp.example";
    struct config_proxy p[] = {{.host = host, .port = 8080, .tls = true},
                               {.host = host, .port = 8081},
                               {.host = host, .port = 8080}};
    struct config_upstream u = {.proxies = p, .n_proxies = 3, .auth = {AUTH_BASIC}, .n_auth = 1};
    assert_int_equal(choose_allowed(&u, SPAN("PROXY.corp.example"), 8080), 0);
    u.n_proxies = 2;
    assert_int_equal(choose_allowed(&u, SPAN("PROXY.corp.example"), 8080), B);
    assert_int_equal(choose_allowed(&u, SPAN("PROXY.corp.example"), 8081), 0);
    assert_int_equal(choose_allowed(&u, SPAN("proxy.corp.example"), 1), 0); /* of none that is configured */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_offers),
                                       cmocka_unit_test(takes_the_first_digest_that_it_can_answer),
                                       cmocka_unit_test(chooses),
                                       cmocka_unit_test(tells_how_strong_a_digest_is),
                                       cmocka_unit_test(basic_stays_out_of_clear_text),
                                       cmocka_unit_test(one_address_with_and_without_tls_is_clear_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
