/* Tokens and their owners; how slowly wrong ones are answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "admit/penalty.h"
#include "admit/token.h"
#include "base/buf.h"

#define TOKENS 100

static void test_new(void **state)
{
    (void)state;
    char tokens[TOKENS][TOKEN_LENGTH + 1];
    char last[65] = "";
    for (size_t i = 0; i < TOKENS; i++) {
        struct err e = {0};
        assert_true(token_new(tokens[i], &e));
        assert_int_equal(strlen(tokens[i]), TOKEN_LENGTH);
        assert_int_equal(
            strspn(tokens[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            TOKEN_LENGTH);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(tokens[i], tokens[k]);
        if (!strchr(last, tokens[i][TOKEN_LENGTH - 1]))
            last[strlen(last)] = tokens[i][TOKEN_LENGTH - 1];
    }
    /* 256 bits in 43 letters: the last one carries four of them */
    assert_int_equal(strspn(last, "AEIMQUYcgkosw048"), strlen(last));
    assert_true(strlen(last) > 8);
}

static void test_hash(void **state)
{
    (void)state;
    static const unsigned char hello[TOKEN_HASH] = {
        0x2c, 0xf2, 0x4d, 0xba, 0x5f, 0xb0, 0xa3, 0x0e, 0x26, 0xe8, 0x3b, 0x2a, 0xc5, 0xb9, 0xe2, 0x9e,
        0x1b, 0x16, 0x1e, 0x5c, 0x1f, 0xa7, 0x42, 0x5e, 0x73, 0x04, 0x33, 0x62, 0x93, 0x8b, 0x98, 0x24};
    unsigned char hash[TOKEN_HASH];
    assert_true(token_hash(SPAN("hello"), hash));
    assert_memory_equal(hash, hello, sizeof hello);
}

/* "hello" is a's, "bonjour" is b's. */
static const char two[] =
    "[upstream corp]\nproxy = http://p:1\n"
    "[client a]\ntoken = sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\n"
    "[client b]\ntoken = sha256:2cb4b1431b84ec15d35ed83bb927e27e8967d75f4bcd9cc4b25c8d879ae23e18\n";

static void test_owner(void **state)
{
    (void)state;
    static const struct {
        const char *name, *token, *owner;
    } rows[] = {
        {"a", "hello", "a"},   {"b", "bonjour", "b"}, {"b", "hello", NULL},   {"a", "bonjour", NULL},
        {"a", "", NULL},       {"", "hello", NULL},   {"A", "hello", NULL},   {"a", "hell", NULL},
        {"a", "hello ", NULL}, {"a", "Hello", NULL},  {"a\n", "hello", NULL}, {"c", "hello", NULL},
    };
    struct err e = {0};
    struct config *c = config_load_text("t.conf", SPAN(two), &e);
    assert_non_null(c);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct config_client *who = token_owner(c, span_str(rows[i].name), span_str(rows[i].token));
        if (rows[i].owner ? !who || strcmp(who->name, rows[i].owner) != 0 : who != NULL)
            fail_msg("case %zu: %s", i, who ? who->name : "nobody");
    }
    config_unref(c);
}

static uint64_t fails(struct penalties *p, const char *from, uint64_t now)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, from, &four.sin_addr) == 1)
        return penalty_failed(p, (struct sockaddr *)&four, now);
    assert_int_equal(inet_pton(AF_INET6, from, &six.sin6_addr), 1);
    return penalty_failed(p, (struct sockaddr *)&six, now);
}

static void test_penalty(void **state)
{
    (void)state;
    struct penalties p = {0};
    uint64_t wait = PENALTY_MS;
    for (size_t i = 0; i < 50; i++, wait = wait * 2 < PENALTY_MOST ? wait * 2 : PENALTY_MOST)
        assert_int_equal(fails(&p, "10.0.0.1", i), wait);
    assert_int_equal(fails(&p, "10.0.0.2", 50), PENALTY_MS); /* each by itself */
    assert_int_equal(fails(&p, "::ffff:10.0.0.2", 50), 2 * PENALTY_MS);
    assert_int_equal(fails(&p, "fd00:1::1", 50), PENALTY_MS);
    assert_int_equal(fails(&p, "fd00:1::ffff", 50), 2 * PENALTY_MS); /* the same /64 */
    assert_int_equal(fails(&p, "fd00:1:0:1::1", 50), PENALTY_MS);
    assert_int_equal(fails(&p, "10.0.0.1", 49 + PENALTY_FORGET), PENALTY_MOST);
    assert_int_equal(fails(&p, "10.0.0.1", 51 + 2 * PENALTY_FORGET), PENALTY_MS); /* long ago */
}

/* Many addresses: the table keeps its size and those that came last. */
static void test_many_addresses(void **state)
{
    (void)state;
    struct penalties p = {0};
    char from[32];
    for (unsigned i = 0; i < 4 * PENALTIES_MOST; i++) {
        snprintf(from, sizeof from, "10.0.%u.%u", i / 256, i % 256);
        assert_int_equal(fails(&p, from, 1000 + i), PENALTY_MS);
    }
    assert_int_equal(fails(&p, from, 5000), 2 * PENALTY_MS);
    assert_int_equal(fails(&p, "10.0.0.0", 5000), PENALTY_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new),     cmocka_unit_test(test_hash),           cmocka_unit_test(test_owner),
        cmocka_unit_test(test_penalty), cmocka_unit_test(test_many_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
