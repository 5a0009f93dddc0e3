/* Lines about requests: the three forms, what may not be seen, what peers cannot forge, and how long a line can be; JSON for any bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/escape.h"
#include "relay/access.h"

#define S(text) span_str(text)

static struct access sample(void)
{
    return (struct access){.at = {1795314689, 123456789},
                           .tag = "c12.r3",
                           .peer = S("127.0.0.1:40112"),
                           .uid_known = true,
                           .uid = 1000,
                           .program = S("curl"),
                           .method = S("GET"),
                           .protocol = S("HTTP/1.1"),
                           .target = S("http://site.example/a"),
                           .route = S("corp"),
                           .proxy = S("proxy.corp.example:8080"),
                           .why = S("rule *.example corp"),
                           .scheme = S("Negotiate (Kerberos)"),
                           .status = 200,
                           .up = 7,
                           .down = 4711,
                           .milliseconds = 12};
}

static struct access unknown(void)
{
    return (struct access){.at = {1795314689, 0}, .tag = "c1", .peer = S("unix")};
}

static void expect(enum log_format format, const struct access *a, const char *wanted)
{
    struct buf out = {0};
    access_format(&out, format, a);
    assert_string_equal(buf_cstr(&out), wanted);
    buf_free(&out);
}

static void test_forms(void **state)
{
    (void)state;
    struct access a = sample(), u = unknown();
    expect(LOG_FORMAT_PLAIN, &a,
           "[c12.r3] GET http://site.example/a: 200, 4711 bytes, 12 ms (rule *.example corp) "
           "by Negotiate (Kerberos) for uid 1000 curl");
    expect(LOG_FORMAT_PLAIN, &u, "[c1] - -: 0, 0 bytes, 0 ms ()");
    expect(LOG_FORMAT_COMMON, &a,
           "127.0.0.1 - 1000 [22/Nov/2026:02:31:29 +0000] \"GET http://site.example/a HTTP/1.1\" 200 4711 "
           "\"corp\" \"Negotiate (Kerberos)\" \"curl\" 12 7");
    expect(LOG_FORMAT_COMMON, &u, "unix - - [22/Nov/2026:02:31:29 +0000] \"-\" - 0 \"-\" \"-\" \"-\" 0 0");
    a.peer = S("[::1]:5");
    a.tunnel = true;
    a.method = S("CONNECT");
    a.target = S("site.example:443");
    expect(LOG_FORMAT_PLAIN, &a,
           "[c12.r3] tunnel to site.example:443 closed: 7 bytes up, 4711 down, 12 ms (rule *.example corp) "
           "by Negotiate (Kerberos) for uid 1000 curl");
    expect(LOG_FORMAT_COMMON, &a,
           "::1 - 1000 [22/Nov/2026:02:31:29 +0000] \"CONNECT site.example:443 HTTP/1.1\" 200 4711 "
           "\"corp\" \"Negotiate (Kerberos)\" \"curl\" 12 7");
    expect(LOG_FORMAT_JSON, &u,
           "{\"time\":\"2026-11-22T02:31:29.000Z\",\"id\":\"c1\",\"client\":\"unix\",\"uid\":null,\"guest\":"
           "null,\"user\":null,"
           "\"program\":null,\"method\":null,\"target\":null,\"protocol\":null,\"route\":null,\"proxy\":null,"
           "\"rule\":null,\"scheme\":null,\"status\":null,\"bytes_up\":0,\"bytes_down\":0,\"ms\":0,"
           "\"note\":null}");
}

static json_t *as_json(const struct access *a)
{
    struct buf out = {0};
    json_error_t error;
    access_format(&out, LOG_FORMAT_JSON, a);
    json_t *object = json_loadb(out.p, out.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!object)
        fail_msg("%s in %s", error.text, buf_cstr(&out));
    assert_true(out.n <= ACCESS_LINE_MOST);
    assert_null(memchr(out.p, '\n', out.n));
    buf_free(&out);
    return object;
}

/* Who has authenticated at a gateway: a name that a directory made, and not always plain. */
static void test_user(void **state)
{
    (void)state;
    struct access a = {
        .tag = "c1", .peer = S("192.0.2.7:1"), .user = S("CORP\\al ice\"\n"), .at = {1795314689, 0}};
    struct buf out = {0};
    access_format(&out, LOG_FORMAT_PLAIN, &a);
    assert_non_null(strstr(buf_cstr(&out), "[c1] CORP\\al ice\"?: - -"));
    buf_clear(&out);
    access_format(&out, LOG_FORMAT_COMMON, &a);
    assert_true(span_starts(buf_span(&out), S("192.0.2.7 - CORP")));
    assert_null(strchr(buf_cstr(&out), '\n'));
    buf_free(&out);
    json_t *object = as_json(&a);
    assert_string_equal(json_string_value(json_object_get(object, "user")), "CORP\\al ice\"\n");
    assert_true(json_is_null(json_object_get(object, "guest")));
    json_decref(object);
}

static void test_json(void **state)
{
    (void)state;
    struct access a = sample();
    json_t *object = as_json(&a);
    assert_string_equal(json_string_value(json_object_get(object, "scheme")), "Negotiate (Kerberos)");
    assert_int_equal(json_integer_value(json_object_get(object, "uid")), 1000);
    assert_int_equal(json_integer_value(json_object_get(object, "bytes_down")), 4711);
    assert_string_equal(json_string_value(json_object_get(object, "time")), "2026-11-22T02:31:29.123Z");
    json_decref(object);
}

static void test_targets(void **state)
{
    (void)state;
    static const struct {
        const char *target, *seen;
    } rows[] = {
        {"http://site.example/a?token=x", "http://site.example/a"},
        {"http://site.example/a#x", "http://site.example/a"},
        {"http://alice:secret@site.example/a@b", "http://site.example/a@b"},
        {"http://alice:se@cret@site.example/", "http://site.example/"},
        {"http://alice@site.example", "http://site.example"},
        {"alice:secret@site.example:443", "site.example:443"},
        {"/a@b", "/a@b"},
        {"*", "*"},
        {"http://site.example?x=/@", "http://site.example"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct access a = sample();
        a.target = S(rows[i].target);
        json_t *object = as_json(&a);
        assert_string_equal(json_string_value(json_object_get(object, "target")), rows[i].seen);
        json_decref(object);
    }
}

/* Whatever bytes come, one line comes out, JSON is valid, and no quote ends a field. */
static void test_any_bytes(void **state)
{
    (void)state;
    char bytes[700];
    for (unsigned c = 0; c < 256; c++) {
        memset(bytes, (int)c, sizeof bytes);
        struct access a = sample();
        a.method = a.target = a.program = a.route = a.proxy = a.why = a.scheme = a.note =
            span_make(bytes, sizeof bytes);
        json_decref(as_json(&a));
        for (enum log_format f = LOG_FORMAT_PLAIN; f <= LOG_FORMAT_COMMON; f++) {
            struct buf out = {0};
            access_format(&out, f, &a);
            assert_true(out.n <= ACCESS_LINE_MOST);
            for (size_t i = 0; i < out.n; i++)
                if ((unsigned char)out.p[i] < 0x20 || out.p[i] == 0x7F)
                    fail_msg("byte %u is in a line", (unsigned)out.p[i]);
            buf_free(&out);
        }
    }
    struct access a = sample();
    a.program = S("a\"b\\c\nd\xff");
    a.target = S("http://x/ä b");
    expect(LOG_FORMAT_COMMON, &a,
           "127.0.0.1 - 1000 [22/Nov/2026:02:31:29 +0000] \"GET http://x/\\xc3\\xa4 b HTTP/1.1\" 200 4711 "
           "\"corp\" \"Negotiate (Kerberos)\" \"a\\\"b\\\\c\\x0ad\\xff\" 12 7");
    json_t *object = as_json(&a);
    assert_string_equal(json_string_value(json_object_get(object, "program")), "a\"b\\c\nd\xEF\xBF\xBD");
    assert_string_equal(json_string_value(json_object_get(object, "target")), "http://x/ä b");
    json_decref(object);
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
    } rows[] = {
        {"a", 1},
        {"\xc3\xa4", 2},
        {"\xe2\x82\xac", 3},
        {"\xf0\x9f\x98\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\xc0\xaf", 0},         /* not the shortest form */
        {"\xe0\x80\xaf", 0},     /* the same */
        {"\xed\xa0\x80", 0},     /* a surrogate */
        {"\xf4\x90\x80\x80", 0}, /* beyond U+10FFFF */
        {"\xc3", 0},
        {"\xe2\x82", 0},
        {"\xc3(", 0},
        {"\x80", 0},
        {"\xff", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(escape_utf8(S(rows[i].bytes)), rows[i].n);
}

static void test_labels(void **state)
{
    (void)state;
    struct buf out = {0};
    escape_label(&out, S("a\"b\\c\nd\xff\xc3\xa4"));
    assert_string_equal(buf_cstr(&out), "a\\\"b\\\\c?d\xEF\xBF\xBD\xc3\xa4");
    buf_free(&out);
}

static void test_copy(void **state)
{
    (void)state;
    struct access a = sample();
    char program[] = "curl";
    a.program = S(program);
    struct access *copy = access_keep(&a);
    memset(program, 'x', 4);
    a.program = S("curl");
    struct buf one = {0}, two = {0};
    access_format(&one, LOG_FORMAT_JSON, &a);
    access_format(&two, LOG_FORMAT_JSON, copy);
    assert_string_equal(buf_cstr(&one), buf_cstr(&two));
    buf_free(&one);
    buf_free(&two);
    free(copy);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),   cmocka_unit_test(test_user),      cmocka_unit_test(test_json),
        cmocka_unit_test(test_targets), cmocka_unit_test(test_any_bytes), cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_copy),    cmocka_unit_test(test_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
