/* The messages to and from the keyholder: each type there and back; everything that a type does not carry or
   must carry; and bytes that are not the one encoding of a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "wire/frame.h"
#include "wire/keys_msg.h"

#define S(text)                                                                                              \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }
#define BYTES(text)     ((struct span){text, sizeof(text) - 1})
#define MSG(name, ...)  ((struct keys_msg){.type = KEYS_##name, __VA_ARGS__})
#define OPENED          .call = 1, .upstream = S("corp"), .host = S("proxy.example"), .port = 8080
#define REQUESTED       .call = 2, .context = 7, .method = S("GET"), .target = S("http://www.example/")
#define STEPPED         .call = 3, .context = 8, .method = S("CONNECT"), .target = S("www.example:443")
#define CHALLENGE_LINES .lines = S("Negotiate\nNTLM\n")

static const char *refusal(const struct keys_msg *m)
{
    struct buf out;
    buf_init(&out, 0);
    const char *result = keys_msg_write(&out, m) ? "written" : "refused";
    if (strcmp(result, "refused") == 0)
        assert_int_equal(out.n, 0);
    buf_free(&out);
    return result;
}

static void there_and_back(const struct keys_msg *m)
{
    struct buf out, again;
    struct frame_reader r;
    struct span body;
    struct keys_msg got;
    const char *why = NULL;
    buf_init(&out, 0);
    buf_init(&again, 0);
    frame_reader_init(&r);
    if (!keys_msg_write(&out, m))
        fail_msg("%s was not written", keys_type_name(m->type));
    assert_true(frame_reader_feed(&r, buf_span(&out)));
    assert_int_equal(frame_reader_next(&r, &body), 1);
    if (!keys_msg_read(&got, body, &why))
        fail_msg("%s was not read: %s", keys_type_name(m->type), why);
    assert_null(why);
    assert_int_equal(got.type, m->type);
    assert_int_equal(got.call, m->call);
    assert_true(keys_msg_write(&again, &got));
    assert_int_equal(out.n, again.n);
    assert_memory_equal(out.p, again.p, out.n);
    frame_reader_free(&r);
    buf_free(&out);
    buf_free(&again);
}

static void test_good(void **state)
{
    (void)state;
    const struct keys_msg good[] = {
        MSG(OPEN, OPENED),
        MSG(OPEN, OPENED, .user = S("CORP\\alice"), .secret = S("x")),
        MSG(OPEN, OPENED, .acting = UINT32_MAX),
        MSG(OPEN, OPENED, .flags = KEYS_CANDIDATE, .binding = S("\1\2\0\3"), .trial = 4),
        MSG(AUTHORIZE, REQUESTED),
        MSG(AUTHORIZE, REQUESTED, .flags = KEYS_BODY_BIG),
        MSG(AUTHORIZE, REQUESTED, .flags = KEYS_AHEAD | KEYS_BODY_NONE),
        MSG(AUTHORIZE, REQUESTED, .flags = KEYS_BODY_HELD, .body = S("a=b")),
        MSG(AUTHORIZE, REQUESTED, .flags = KEYS_BODY_HELD),
        MSG(CHALLENGED, REQUESTED),
        MSG(CHALLENGED, REQUESTED, CHALLENGE_LINES, .flags = KEYS_CLOSED | KEYS_BODY_NONE),
        MSG(CHALLENGED, REQUESTED, .flags = KEYS_SOCKS | KEYS_CLOSED | KEYS_BODY_NONE),
        MSG(ACCEPTED, .context = 7),
        MSG(ACCEPTED, .call = 3, .context = 7, .info = S("rspauth=\"00\"\n")),
        MSG(ACCEPTED, .call = 3, .context = 7, .lines = S("Negotiate oQcwBaADCgEA\n")),
        MSG(CLOSE, .context = 7),
        MSG(RELOAD),
        MSG(RELOAD, .call = UINT32_MAX),
        MSG(STATUS, .call = 1, .upstream = S("corp")),
        MSG(TRIAL_END, .trial = 4, .verdict = KEYS_OK),
        MSG(TRIAL_END, .trial = 4, .verdict = KEYS_UNREACHABLE, .why = S("no route"),
            .remedy = S("plug it in")),
        MSG(LOGIN, .call = 1, .upstream = S("corp"), .secret = S("p\0w"), .user = S("CORP\\alice")),
        MSG(LOGIN, .call = 1, .upstream = S("corp"), .secret = S("p")),
        MSG(LOGIN, .call = 1, .upstream = S("corp"), .secret = S("p"), .user = S("CORP\\alice"),
            .flags = KEYS_GUEST),
        MSG(LOGOUT, .call = 1, .upstream = S("corp")),
        MSG(LOGOUT, .call = 1, .upstream = S("corp"), .user = S("CORP\\alice"), .flags = KEYS_GUEST),
        MSG(ANSWER, .call = 1, .verdict = KEYS_OK),
        MSG(ANSWER, .call = 1, .verdict = KEYS_SEND, .context = 7, .generation = 2, .header = S("Basic eA=="),
            .flags = KEYS_KNOCK | KEYS_BINDS | KEYS_REUSABLE | KEYS_FINAL, .identity = S("CORP\\alice"),
            .scheme = S("NTLM"), .why = S("w"), .remedy = S("r")),
        MSG(ANSWER, .call = 1, .verdict = KEYS_REFUSED, .generation = 2, .flags = KEYS_LOGIN_HELPS),
        MSG(ANSWER, .call = 1, .verdict = KEYS_OK, .until = 5, .flags = KEYS_LOGIN_HELPS | KEYS_RENEW_HELPS),
        MSG(EVENT_GENERATION, .upstream = S("corp"), .generation = 2, .identity = S("alice")),
        MSG(EVENT_GENERATION, .upstream = S("corp"), .generation = 2, .identity = S("alice"),
            .flags = KEYS_GUEST),
        MSG(EVENT_TRIAL, .call = 4, .upstream = S("corp")),
        MSG(EVENT_TRIAL, .trial = 4, .upstream = S("corp")),
        MSG(ACCEPT_OFFER, .call = 1, .upstream = S("corp")),
        MSG(ANSWER, .call = 1, .verdict = KEYS_DOWNGRADED, .flags = KEYS_ALARM, .why = S("w")),
        MSG(NETWORK),
        MSG(EXAMINE, .call = 1, .upstream = S("corp"), .host = S("proxy"), .port = 8080),
        MSG(EXAMINE, .call = 1, .upstream = S("corp"), .host = S("proxy"), .port = 8080,
            .lines = S("NTLM\n")),
        MSG(ANSWER, .call = 1, .verdict = KEYS_OK, .lines = S("kdc\tok\tx\t\n")),
        MSG(ACCEPT_OPEN, .call = 1, .gateway = S("gateway")),
        MSG(ACCEPT_OPEN, .call = 1, .gateway = S("lab"), .binding = S("\1\2\0\3")),
        MSG(ACCEPT_STEP, STEPPED),
        MSG(ACCEPT_STEP, STEPPED, .header = S("Basic eDp5")),
        MSG(ACCEPT_CLOSE, .context = 8),
        MSG(ANSWER, .call = 3, .verdict = KEYS_OK, .flags = KEYS_BINDS, .until = 2000000000,
            .identity = S("alice"), .scheme = S("Digest"), .lines = S("Negotiate oQcwBaADCgEA\n"),
            .info = S("rspauth=\"00\"\n")),
        MSG(ANSWER, .call = 3, .verdict = KEYS_REFUSED, .delay = 3000, .lines = S("NTLM\n"), .why = S("w")),
    };
    unsigned seen = 0;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        there_and_back(&good[i]);
        seen |= 1u << good[i].type;
    }
    assert_int_equal(seen, (1u << KEYS_TYPE_END) - 2); /* no type is left out */
}

/* Each field comes back in its own place. */
static void test_fields_in_place(void **state)
{
    (void)state;
    static const struct keys_msg m = {.type = KEYS_ANSWER,
                                      .call = 0x01020304,
                                      .context = 0xFFFFFFFF,
                                      .verdict = KEYS_MUTUAL_FAILED,
                                      .flags = KEYS_FINAL,
                                      .generation = 9,
                                      .delay = 2500,
                                      .until = 2000000000,
                                      .info = S("N"),
                                      .header = S("H"),
                                      .identity = S("I"),
                                      .scheme = S("S"),
                                      .why = S("W"),
                                      .remedy = S("R")};
    struct buf out;
    struct keys_msg got;
    const char *why;
    buf_init(&out, 0);
    assert_true(keys_msg_write(&out, &m));
    assert_true(keys_msg_read(&got, span_from(buf_span(&out), FRAME_LENGTH_BYTES), &why));
    assert_int_equal(got.call, 0x01020304);
    assert_int_equal(got.context, 0xFFFFFFFF);
    assert_int_equal(got.verdict, KEYS_MUTUAL_FAILED);
    assert_int_equal(got.flags, KEYS_FINAL);
    assert_int_equal(got.generation, 9);
    assert_int_equal(got.delay, 2500);
    assert_int_equal(got.until, 2000000000);
    assert_true(span_eq(got.info, SPAN("N")));
    assert_true(span_eq(got.header, SPAN("H")) && span_eq(got.identity, SPAN("I")));
    assert_true(span_eq(got.scheme, SPAN("S")) && span_eq(got.why, SPAN("W")));
    assert_true(span_eq(got.remedy, SPAN("R")));
    assert_true(got.header.p > out.p && got.header.p < out.p + out.n); /* lent from the frame */
    buf_free(&out);
}

static void test_not_written(void **state)
{
    (void)state;
    static char big[FRAME_MAX + 1];
    const struct span over = {big, 65537}, over_frame = {big, FRAME_MAX};
    const struct keys_msg bad[] = {
        {.type = 0},
        {.type = KEYS_TYPE_END, .call = 1},
        {.type = (enum keys_type) - 1},
        MSG(OPEN, .call = 1, .upstream = S("corp"), .host = S("h")),
        MSG(OPEN, .upstream = S("corp"), .host = S("h"), .port = 1),
        MSG(OPEN, OPENED, .identity = S("x")),
        MSG(AUTHORIZE, REQUESTED, .user = S("x")),
        MSG(AUTHORIZE, REQUESTED, .secret = S("x")),
        MSG(OPEN, OPENED, .flags = KEYS_KNOCK),
        MSG(OPEN, OPENED, .flags = KEYS_AHEAD),
        MSG(OPEN, OPENED, .acting = 9, .user = S("CORP\\alice"), .secret = S("x")),
        MSG(OPEN, OPENED, .acting = 9, .secret = S("x")),
        MSG(OPEN, OPENED, .acting = 9, .flags = KEYS_CANDIDATE, .trial = 4),
        MSG(AUTHORIZE, REQUESTED, .acting = 9),
        MSG(CHALLENGED, REQUESTED, CHALLENGE_LINES, .flags = KEYS_AHEAD),
        MSG(AUTHORIZE, REQUESTED, .flags = KEYS_ASIDE),
        MSG(OPEN, .call = 1, .upstream = S("corp"), .host = S("h"), .port = 65536),
        MSG(OPEN, .call = 1, .upstream = over, .host = S("h"), .port = 1),
        MSG(AUTHORIZE, .call = 2, .context = 7, .method = S("GET")),
        MSG(AUTHORIZE, REQUESTED, CHALLENGE_LINES),
        MSG(AUTHORIZE, REQUESTED, .flags = KEYS_CLOSED),
        MSG(AUTHORIZE, REQUESTED, .flags = KEYS_LOGIN_HELPS),
        MSG(AUTHORIZE, REQUESTED, .flags = KEYS_SOCKS),
        MSG(AUTHORIZE, REQUESTED, .flags = 0x80000000u),
        MSG(AUTHORIZE, REQUESTED, .flags = KEYS_BODY_HELD | KEYS_BODY_BIG),
        MSG(AUTHORIZE, REQUESTED, .flags = KEYS_BODY_NONE, .body = S("x")),
        MSG(AUTHORIZE, REQUESTED, .body = S("x")),
        MSG(AUTHORIZE, .call = 2, .context = 7, .method = S("GET"), .target = over_frame),
        MSG(CHALLENGED, .call = 2, .method = S("GET"), .target = S("/")),
        MSG(ACCEPTED, .call = 1),
        MSG(CLOSE, .call = 1, .context = 7),
        MSG(CLOSE, .context = 7, .why = S("x")),
        MSG(TRIAL_END, .trial = 1),
        MSG(TRIAL_END, .call = 1, .trial = 1, .verdict = KEYS_OK),
        MSG(TRIAL_END, .trial = 1, .verdict = KEYS_VERDICT_END),
        MSG(LOGIN, .call = 1, .upstream = S("corp")),
        MSG(LOGIN, .upstream = S("corp"), .secret = S("x")),
        MSG(LOGOUT, .call = 1),
        MSG(LOGOUT, .call = 1, .upstream = S("corp"), .user = S("CORP\\alice")),
        MSG(LOGOUT, .call = 1, .upstream = S("corp"), .flags = KEYS_GUEST),
        MSG(LOGIN, .call = 1, .upstream = S("corp"), .secret = S("x"), .flags = KEYS_GUEST),
        MSG(ANSWER, .verdict = KEYS_OK),
        MSG(ANSWER, .call = 1),
        MSG(ANSWER, .call = 1, .verdict = KEYS_OK, .secret = S("x")),
        MSG(ANSWER, .call = 1, .verdict = KEYS_OK, .flags = KEYS_CANDIDATE),
        MSG(EVENT_GENERATION, .upstream = S("corp")),
        MSG(EVENT_GENERATION, .upstream = S("corp"), .generation = 2, .flags = KEYS_GUEST),
        MSG(EVENT_GENERATION, .upstream = S("corp"), .generation = 2, .identity = S("alice"),
            .flags = KEYS_LOGIN_HELPS),
        MSG(EVENT_GENERATION, .call = 1, .upstream = S("corp"), .generation = 1),
        MSG(EVENT_TRIAL, .call = 1),
        MSG(ACCEPT_OFFER, .upstream = S("corp")),
        MSG(ACCEPT_OFFER, .call = 1),
        MSG(ACCEPT_OFFER, .call = 1, .upstream = S("corp"), .secret = S("x")),
        MSG(STATUS, .call = 1, .upstream = S("corp"), .flags = KEYS_ALARM),
        MSG(NETWORK, .call = 1),
        MSG(NETWORK, .upstream = S("corp")),
        MSG(EXAMINE, .upstream = S("corp"), .host = S("proxy"), .port = 8080),
        MSG(EXAMINE, .call = 1, .upstream = S("corp"), .host = S("proxy")),
        MSG(EXAMINE, .call = 1, .upstream = S("corp"), .port = 8080),
        MSG(EXAMINE, .call = 1, .upstream = S("corp"), .host = S("proxy"), .port = 8080, .secret = S("x")),
        MSG(ACCEPT_OPEN, .call = 1),
        MSG(ACCEPT_OPEN, .gateway = S("gateway")),
        MSG(ACCEPT_OPEN, .call = 1, .gateway = S("gateway"), .upstream = S("corp")),
        MSG(ACCEPT_STEP, .context = 8, .method = S("GET"), .target = S("/")),
        MSG(ACCEPT_STEP, .call = 1, .method = S("GET"), .target = S("/")),
        MSG(ACCEPT_STEP, .call = 1, .context = 8, .method = S("GET")),
        MSG(ACCEPT_STEP, STEPPED, .flags = KEYS_BINDS),
        MSG(ACCEPT_STEP, STEPPED, .body = S("x"), .flags = KEYS_BODY_HELD),
        MSG(ACCEPT_STEP, STEPPED, .delay = 1),
        MSG(ACCEPT_CLOSE, .call = 1, .context = 8),
        MSG(ACCEPT_CLOSE),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (strcmp(refusal(&bad[i]), "refused") != 0)
            fail_msg("case %zu (%s) was written", i, keys_type_name(bad[i].type));
    /* two fields that fit the limit each, but not one frame together */
    struct span half = {big, FRAME_MAX / 2};
    assert_string_equal(
        refusal(&MSG(CHALLENGED, .call = 2, .context = 7, .method = S("GET"), .target = half, .lines = half)),
        "refused");
    /* a ceiling of the buffer */
    struct buf tight;
    buf_init(&tight, 8);
    assert_false(keys_msg_write(&tight, &MSG(RELOAD)));
    assert_int_equal(tight.n, 0);
    buf_free(&tight);
}

static void test_not_read(void **state)
{
    (void)state;
    static const struct {
        struct span bytes;
        const char *why;
    } cases[] = {
        {S(""), "cut short"},
        {S("\x06\0\0\0"), "cut short"},
        {S("\0\0\0\0\0"), "an unknown type"},
        {S("\x7F\0\0\0\1"), "an unknown type"},
        {S("\xFF\0\0\0\1"), "an unknown type"},
        {S("\x06\0\0\0\0\1"), "cut short inside a field"},
        {S("\5\0\0\0\0\1\0\0\0\4\0\0\0"), "cut short inside a field"},
        {S("\5\0\0\0\0\1\0\0\0\4\0\0\0\7x"), "cut short inside a field"},
        {S("\7\0\0\0\1\7\xFF\xFF\xFF\xFF"
           "corp"),
         "cut short inside a field"},
        {S("\5\0\0\0\0\0\0\0\0\4\0\0\0\7"), "an unknown field"},
        {S("\5\0\0\0\0\x1A\0\0\0\4\0\0\0\7"), "an unknown field"},
        {S("\5\0\0\0\0\1\0\0\0\4\0\0\0\7\1\0\0\0\4\0\0\0\7"), "a field is repeated or out of order"},
        {S("\x0C\0\0\0\0\7\0\0\0\1c\4\0\0\0\4\0\0\0\7"), "a field is repeated or out of order"},
        {S("\5\0\0\0\0\1\0\0\0\1\7"), "an integer of the wrong length"},
        {S("\5\0\0\0\0\1\0\0\0\5\0\0\0\0\7"), "an integer of the wrong length"},
        {S("\5\0\0\0\0\1\0\0\0\4\0\0\0\0"), "a field is empty"},
        {S("\7\0\0\0\1\7\0\0\0\0"), "a field is empty"},
        {S("\x0B\0\0\0\1\2\0\0\0\4\0\0\0\x7F"), "a field is over its limit"},
        {S("\5\0\0\0\0"), "a field is missing"},
        {S("\5\0\0\0\0\1\0\0\0\4\0\0\0\7\x15\0\0\0\1x"), "a field that this type does not carry"},
        {S("\5\0\0\0\1\1\0\0\0\4\0\0\0\7"), "the call number does not suit the type"},
        {S("\7\0\0\0\0\7\0\0\0\1c"), "the call number does not suit the type"},
        {S("\x0B\0\0\0\1\2\0\0\0\4\0\0\0\1\3\0\0\0\4\0\0\0\x10"), "a flag that this type does not carry"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct keys_msg m;
        const char *why = NULL;
        char *exact = mem_alloc(cases[i].bytes.n); /* so that ASan sees a byte read too far */
        memcpy(exact, cases[i].bytes.p, cases[i].bytes.n);
        assert_false(keys_msg_read(&m, span_make(exact, cases[i].bytes.n), &why));
        if (strcmp(why, cases[i].why) != 0)
            fail_msg("case %zu: %s, not: %s", i, why, cases[i].why);
        free(exact);
    }
}

/* Each shorter part of a good message is refused, unless it is a message itself. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    struct buf out, again;
    buf_init(&out, 0);
    buf_init(&again, 0);
    assert_true(keys_msg_write(&out, &MSG(CHALLENGED, REQUESTED, CHALLENGE_LINES, .flags = KEYS_CLOSED)));
    struct span whole = span_from(buf_span(&out), FRAME_LENGTH_BYTES);
    for (size_t n = 0; n < whole.n; n++) {
        struct keys_msg m;
        const char *why;
        if (!keys_msg_read(&m, span_head(whole, n), &why))
            continue;
        buf_clear(&again);
        assert_true(keys_msg_write(&again, &m));
        assert_int_equal(again.n, n + FRAME_LENGTH_BYTES);
    }
    buf_free(&out);
    buf_free(&again);
}

/* Instead of the one in OpenSSL: sees which places are wiped. */
static const void *wiped_place;
void OPENSSL_cleanse(void *p, size_t n)
{
    memset(p, 0, n);
    wiped_place = p;
}

/* A buffer that has to grow while a secret is written leaves no copy behind. */
static void test_growing_wipes(void **state)
{
    (void)state;
    static char big[60000];
    struct buf out;
    buf_init(&out, 0);
    assert_true(keys_msg_write(&out, &MSG(LOGIN, .call = 1, .upstream = S("corp"), .secret = S("hunter2"))));
    const char *place = out.p;
    assert_ptr_not_equal(wiped_place, place);
    assert_true(
        keys_msg_write(&out, &MSG(LOGIN, .call = 1, .upstream = S("corp"), .secret = {big, sizeof big})));
    assert_ptr_equal(wiped_place, place);
    buf_free(&out);
}

static void test_names(void **state)
{
    (void)state;
    for (int t = 1; t < KEYS_TYPE_END; t++)
        assert_string_not_equal(keys_type_name((enum keys_type)t), "unknown");
    for (int v = 1; v < KEYS_VERDICT_END; v++)
        assert_string_not_equal(keys_verdict_name((enum keys_verdict)v), "unknown");
    assert_string_equal(keys_type_name(KEYS_EVENT_TRIAL), "EVENT_TRIAL");
    assert_string_equal(keys_type_name(0), "unknown");
    assert_string_equal(keys_type_name(KEYS_TYPE_END), "unknown");
    assert_string_equal(keys_verdict_name(KEYS_SITE_REFUSED), "SITE_REFUSED");
    assert_string_equal(keys_verdict_name(0), "unknown");
    assert_string_equal(keys_verdict_name(KEYS_VERDICT_END), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),         cmocka_unit_test(test_fields_in_place),
        cmocka_unit_test(test_not_written),  cmocka_unit_test(test_not_read),
        cmocka_unit_test(test_cut_anywhere), cmocka_unit_test(test_growing_wipes),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
