/* The messages to and from exeat-pac: each type there and back; what a type does not carry or must carry; bytes that are not the one encoding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/pac_msg.h"

#define S(text)                                                                                              \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }
#define MSG(name, ...) ((struct pac_msg){.type = PAC_##name, __VA_ARGS__})

static void there_and_back(const struct pac_msg *m)
{
    struct buf out = {0}, again = {0};
    struct pac_msg got;
    const char *why = NULL;
    if (!pac_msg_write(&out, m))
        fail_msg("%s was not written", pac_type_name(m->type));
    if (!pac_msg_read(&got, span_from(buf_span(&out), FRAME_LENGTH_BYTES), &why))
        fail_msg("%s was not read: %s", pac_type_name(m->type), why);
    assert_int_equal(got.type, m->type);
    assert_int_equal(got.call, m->call);
    assert_true(pac_msg_write(&again, &got));
    assert_true(span_eq(buf_span(&out), buf_span(&again)));
    buf_free(&out);
    buf_free(&again);
}

static void test_good(void **state)
{
    (void)state;
    const struct pac_msg good[] = {
        MSG(READY),
        MSG(LOAD, .call = 1, .name = S("proxy.pac"), .script = S("\xff\xfe\0x")),
        MSG(FIND, .call = UINT32_MAX, .url = S("http://a.example/"), .host = S("a.example")),
        MSG(DONE, .call = 1),
        MSG(DONE, .call = 1, .result = S("DIRECT")),
        MSG(FAILED, .call = 1, .why = S("proxy.pac:1: no")),
        MSG(RESOLVE, .call = 1, .host = S("a.example")),
        MSG(MY_ADDRESS, .call = 1),
        MSG(ADDRESSES, .call = 1),
        MSG(ADDRESSES, .call = 1, .addresses = S("192.0.2.1;2001:db8::1")),
        MSG(ALERT, .alert = S("hello")),
    };
    unsigned seen = 0;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        there_and_back(&good[i]);
        seen |= 1u << good[i].type;
    }
    assert_int_equal(seen, (1u << PAC_TYPE_END) - 2); /* no type is left out */
}

static void test_fields_in_place(void **state)
{
    (void)state;
    struct buf out = {0};
    struct pac_msg got;
    const char *why;
    assert_true(pac_msg_write(&out, &MSG(LOAD, .call = 0x01020304, .name = S("N"), .script = S("S"))));
    assert_true(pac_msg_read(&got, span_from(buf_span(&out), FRAME_LENGTH_BYTES), &why));
    assert_int_equal(got.call, 0x01020304);
    assert_true(span_eq(got.name, SPAN("N")) && span_eq(got.script, SPAN("S")));
    assert_int_equal(got.url.n + got.host.n + got.result.n + got.why.n + got.addresses.n + got.alert.n, 0);
    buf_free(&out);
}

static void test_not_written(void **state)
{
    (void)state;
    static char big[FRAME_MAX + 1];
#define BIG(n) ((struct span){big, (n)})
    const struct pac_msg bad[] = {
        {.type = 0},
        {.type = PAC_TYPE_END, .call = 1},
        MSG(READY, .call = 1),
        MSG(READY, .alert = S("x")),
        MSG(LOAD, .name = S("n"), .script = S("s")),
        MSG(LOAD, .call = 1, .script = S("s")),
        MSG(LOAD, .call = 1, .name = S("n")),
        MSG(LOAD, .call = 1, .name = BIG(PAC_NAME_MAX + 1), .script = S("s")),
        MSG(LOAD, .call = 1, .name = S("n"), .script = BIG(PAC_SCRIPT_MAX + 1)),
        MSG(FIND, .call = 1, .url = S("u")),
        MSG(FIND, .call = 1, .host = S("h")),
        MSG(FIND, .call = 1, .url = S("u"), .host = BIG(PAC_HOST_MAX + 1)),
        MSG(FIND, .call = 1, .url = BIG(FRAME_MAX), .host = S("h")),
        MSG(FIND, .call = 1, .url = S("u"), .host = S("h"), .script = S("s")),
        MSG(DONE, .result = S("DIRECT")),
        MSG(DONE, .call = 1, .why = S("x")),
        MSG(DONE, .call = 1, .result = BIG(PAC_RESULT_MAX + 1)),
        MSG(FAILED, .call = 1),
        MSG(FAILED, .call = 1, .why = BIG(PAC_WHY_MAX + 1)),
        MSG(RESOLVE, .call = 1),
        MSG(ADDRESSES, .call = 1, .addresses = BIG(PAC_ADDRESSES_MAX + 1)),
        MSG(ALERT),
        MSG(ALERT, .call = 1, .alert = S("x")),
        MSG(ALERT, .alert = BIG(PAC_ALERT_MAX + 1)),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf out = {0};
        if (pac_msg_write(&out, &bad[i]))
            fail_msg("row %zu was written", i);
        assert_int_equal(out.n, 0);
        buf_free(&out);
    }
    /* and what is just within */
    there_and_back(&MSG(LOAD, .call = 1, .name = BIG(PAC_NAME_MAX), .script = BIG(PAC_SCRIPT_MAX)));
}

static void test_not_read(void **state)
{
    (void)state;
    static const struct {
        struct span bytes;
        const char *why;
    } bad[] = {
        {S(""), "cut short"},
        {S("\1\0\0\0"), "cut short"},
        {S("\0\0\0\0\0"), "an unknown type"},
        {S("\x0a\0\0\0\0"), "an unknown type"},
        {S("\4\0\0\0\1\5"), "cut short inside a field"},
        {S("\4\0\0\0\1\5\0\0\0\2x"), "cut short inside a field"},
        {S("\4\0\0\0\1\x09\0\0\0\1x"), "an unknown field"},
        {S("\4\0\0\0\1\0\0\0\0\1x"), "an unknown field"},
        {S("\4\0\0\0\1\5\0\0\0\0"), "a field is empty"},
        {S("\4\0\0\0\1\5\0\0\0\1x\5\0\0\0\1x"), "a field is repeated or out of order"},
        {S("\3\0\0\0\1\4\0\0\0\1x\3\0\0\0\1x"), "a field is repeated or out of order"},
        {S("\4\0\0\0\1\6\0\0\0\1x"), "a field that this type does not carry"},
        {S("\5\0\0\0\1"), "a field is missing"},
        {S("\4\0\0\0\0"), "the call number does not suit the type"},
        {S("\1\0\0\0\1"), "the call number does not suit the type"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pac_msg m;
        const char *why = "read";
        if (pac_msg_read(&m, bad[i].bytes, &why))
            fail_msg("row %zu was read", i);
        assert_string_equal(why, bad[i].why);
    }
    assert_string_equal(pac_type_name(0), "unknown");
    assert_string_equal(pac_type_name(PAC_TYPE_END), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_fields_in_place),
        cmocka_unit_test(test_not_written),
        cmocka_unit_test(test_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
