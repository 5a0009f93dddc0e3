/* Request targets and authorities: the parts of what is taken, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/target.h"

static const struct {
    const char *line; /* METHOD SP target */
    int form;         /* enum target_form, or the status of the fault with a minus */
    const char *authority, *host;
    unsigned port;
    const char *path;
} cases[] = {
    {"GET http://a.example/x?y", TARGET_ABSOLUTE, "a.example", "a.example", 80, "/x?y"},
    {"GET hTTp://A.Example:8080", TARGET_ABSOLUTE, "A.Example:8080", "A.Example", 8080, "/"},
    {"GET http://a.example?y=/", TARGET_ABSOLUTE, "a.example", "a.example", 80, "?y=/"},
    {"GET http://a.example:/", TARGET_ABSOLUTE, "a.example:", "a.example", 80, "/"},
    {"GET http://a_b.example./@:", TARGET_ABSOLUTE, "a_b.example.", "a_b.example.", 80, "/@:"},
    {"GET http://[2001:db8::1]:81//x", TARGET_ABSOLUTE, "[2001:db8::1]:81", "2001:db8::1", 81, "//x"},
    {"GET http://[::ffff:192.0.2.1]/", TARGET_ABSOLUTE, "[::ffff:192.0.2.1]", "::ffff:192.0.2.1", 80, "/"},
    {"GET http://192.0.2.1/", TARGET_ABSOLUTE, "192.0.2.1", "192.0.2.1", 80, "/"},
    {"OPTIONS http://a.example", TARGET_ABSOLUTE, "a.example", "a.example", 80, "*"},
    {"OPTIONS http://a.example/", TARGET_ABSOLUTE, "a.example", "a.example", 80, "/"},
    {"OPTIONS *", TARGET_ASTERISK, "h.example:82", "h.example", 82, "*"},
    {"GET /x?http://a/", TARGET_ORIGIN, "h.example:82", "h.example", 82, "/x?http://a/"},
    {"CONNECT a.example:443", TARGET_AUTHORITY, "a.example:443", "a.example", 443, ""},
    {"CONNECT [::1]:1", TARGET_AUTHORITY, "[::1]:1", "::1", 1, ""},
    {"CONNECT a.example:00443", TARGET_AUTHORITY, "a.example:00443", "a.example", 443, ""},
    {"CONNECT a.example", -400, NULL, NULL, 0, NULL},
    {"CONNECT a.example:", -400, NULL, NULL, 0, NULL},
    {"CONNECT a.example:0", -400, NULL, NULL, 0, NULL},
    {"CONNECT a.example:65536", -400, NULL, NULL, 0, NULL},
    {"CONNECT a.example:000443", -400, NULL, NULL, 0, NULL},
    {"CONNECT a.example:443/", -400, NULL, NULL, 0, NULL},
    {"CONNECT u@a.example:443", -400, NULL, NULL, 0, NULL},
    {"CONNECT ::1:443", -400, NULL, NULL, 0, NULL},
    {"CONNECT :443", -400, NULL, NULL, 0, NULL},
    {"CONNECT *", -400, NULL, NULL, 0, NULL},
    {"CONNECT /", -400, NULL, NULL, 0, NULL},
    {"CONNECT http://a.example:443", -400, NULL, NULL, 0, NULL},
    {"GET http://u@a.example/", -400, NULL, NULL, 0, NULL},
    {"GET http://a.example/#", -400, NULL, NULL, 0, NULL},
    {"GET /#", -400, NULL, NULL, 0, NULL},
    {"GET http://", -400, NULL, NULL, 0, NULL},
    {"GET http:///x", -400, NULL, NULL, 0, NULL},
    {"GET http://:80/", -400, NULL, NULL, 0, NULL},
    {"GET http:a.example/", -400, NULL, NULL, 0, NULL},
    {"GET http:/a.example/", -400, NULL, NULL, 0, NULL},
    {"GET http://a.example:8x/", -400, NULL, NULL, 0, NULL},
    {"GET http://a%2eb/", -400, NULL, NULL, 0, NULL},
    {"GET http://a,b/", -400, NULL, NULL, 0, NULL},
    {"GET http://a\\b/", -400, NULL, NULL, 0, NULL},
    {"GET http://[]/", -400, NULL, NULL, 0, NULL},
    {"GET http://[::1/", -400, NULL, NULL, 0, NULL},
    {"GET http://[::1]x/", -400, NULL, NULL, 0, NULL},
    {"GET http://[fe80::1%25lo]/", -400, NULL, NULL, 0, NULL},
    {"GET http://[v1.x]/", -400, NULL, NULL, 0, NULL},
    {"GET http://[192.0.2.1]/", -400, NULL, NULL, 0, NULL},
    {"GET http://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]/", -400, NULL, NULL, 0, NULL},
    {"GET https://a.example/", -400, NULL, NULL, 0, NULL},
    {"GET HTTPS://a.example/", -400, NULL, NULL, 0, NULL},
    {"GET ftp://a.example/", -501, NULL, NULL, 0, NULL},
    {"GET 1http://a.example/", -400, NULL, NULL, 0, NULL},
    {"GET ht,tp://a.example/", -400, NULL, NULL, 0, NULL},
    {"GET a.example", -400, NULL, NULL, 0, NULL},
    {"GET *", -400, NULL, NULL, 0, NULL},
    {"OPTIONS **", -400, NULL, NULL, 0, NULL},
    {"GET ://a.example/", -400, NULL, NULL, 0, NULL},
};

static void test_targets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = {0};
        buf_addf(&b, "%s HTTP/1.1\r\nHost: h.example:82\r\n\r\n", cases[i].line);
        struct head h;
        struct fault fault = {0};
        struct target t;
        if (!head_read_request(&h, buf_span(&b), &head_limits_default, &fault))
            fail_msg("%s: %s", cases[i].line, fault.why);
        bool ok = target_read(&t, &h, &fault);
        if (cases[i].form < 0) {
            if (ok || (int)fault.status != -cases[i].form || !fault.why)
                fail_msg("%s: taken, or status %u", cases[i].line, fault.status);
        } else {
            if (!ok || (int)t.form != cases[i].form || !span_eq(t.authority, span_str(cases[i].authority)) ||
                !span_eq(t.host, span_str(cases[i].host)) || t.port != cases[i].port ||
                !span_eq(t.path, span_str(cases[i].path)))
                fail_msg("%s: %s, or other parts", cases[i].line, ok ? "taken" : fault.why);
            assert_int_equal(t.ipv6, !!strchr(cases[i].host, ':'));
            assert_true(t.form != TARGET_ABSOLUTE || span_ieq(t.scheme, SPAN("http")));
        }
        head_free(&h);
        buf_free(&b);
    }
}

/* Where the client or its user can mend it, the sentence says how. */
static void test_sentences(void **state)
{
    (void)state;
    static const struct {
        const char *target, *word;
    } sentences[] = {
        {"https://a/", "CONNECT"},
        {"https://a/", "https_proxy"},
        {"http://u:p@a/", "user information"},
        {"http://a/#x", "fragment"},
    };
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++) {
        struct buf b = {0};
        struct head h;
        struct fault fault;
        struct target t;
        buf_addf(&b, "GET %s HTTP/1.0\r\n\r\n", sentences[i].target);
        assert_true(head_read_request(&h, buf_span(&b), &head_limits_default, &fault));
        assert_false(target_read(&t, &h, &fault));
        assert_non_null(strstr(fault.why, sentences[i].word));
        head_free(&h);
        buf_free(&b);
    }
}

static void test_without_host(void **state)
{
    (void)state;
    static const char *const requests[] = {"GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost:\r\n\r\n"};
    for (size_t i = 0; i < 2; i++) {
        struct head h;
        struct fault fault;
        struct target t;
        assert_true(head_read_request(&h, span_str(requests[i]), &head_limits_default, &fault));
        assert_true(target_read(&t, &h, &fault));
        assert_int_equal(t.form, TARGET_ORIGIN);
        assert_int_equal(t.host.n, 0);
        assert_int_equal(t.authority.n, 0);
        head_free(&h);
    }
}

static void test_authority(void **state)
{
    (void)state;
    struct span host;
    bool ipv6;
    uint16_t port;
    assert_true(target_authority(SPAN("a"), 8080, &host, &ipv6, &port));
    assert_int_equal(port, 8080);
    assert_true(target_authority(SPAN("[::1]:"), 8080, &host, &ipv6, &port));
    assert_true(ipv6 && port == 8080 && span_eq(host, SPAN("::1")));
    assert_false(target_authority(SPAN("a"), 0, &host, &ipv6, &port));
    assert_false(target_authority(SPAN(""), 80, &host, &ipv6, &port));
    assert_false(target_authority(SPAN("[::1\0]"), 80, &host, &ipv6, &port));
    char name[257];
    memset(name, 'a', sizeof name);
    assert_true(target_authority(span_make(name, 255), 80, &host, &ipv6, &port));
    assert_false(target_authority(span_make(name, 256), 80, &host, &ipv6, &port));

    struct buf out = {0};
    assert_true(target_add_authority(&out, SPAN("a.example"), 1));
    assert_true(target_add_authority(&out, SPAN("::1"), 65535));
    assert_string_equal(buf_cstr(&out), "a.example:1[::1]:65535");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_without_host),
        cmocka_unit_test(test_authority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
