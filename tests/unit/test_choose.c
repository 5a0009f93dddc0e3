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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_offers),
                                       cmocka_unit_test(takes_the_first_digest_that_it_can_answer),
                                       cmocka_unit_test(chooses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
