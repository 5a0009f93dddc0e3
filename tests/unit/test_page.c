/* Our own answers: valid messages, every cause with its status and token, and nothing of a peer unescaped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "http_message.h"
#include "http/page.h"

static const struct {
    enum page_cause cause;
    unsigned status;
    const char *token;
} causes[] = {
    {PAGE_BAD_REQUEST, 400, "http_request_error"},
    {PAGE_NOT_ALLOWED, 403, "http_request_denied"},
    {PAGE_LOOP, 508, "proxy_loop_detected"},
    {PAGE_DNS, 502, "dns_error"},
    {PAGE_UNREACHABLE, 502, "destination_unavailable"},
    {PAGE_REFUSED, 502, "connection_refused"},
    {PAGE_CONNECT_TIMEOUT, 504, "connection_timeout"},
    {PAGE_ANSWER_TIMEOUT, 504, "http_response_timeout"},
    {PAGE_BAD_ANSWER, 502, "http_protocol_error"},
    {PAGE_CUT_SHORT, 502, "http_response_incomplete"},
    {PAGE_TLS, 502, "tls_protocol_error"},
    {PAGE_SECRET_REFUSED, 502, "http_request_denied"},
    {PAGE_CLIENT_CREDENTIALS, 407, "http_request_denied"},
    {PAGE_SITE_REFUSED, 403, "http_request_denied"},
    {PAGE_NO_CREDENTIALS, 502, "proxy_configuration_error"},
    {PAGE_DOWNGRADED, 502, "http_request_denied"},
    {PAGE_NOT_PROVED, 502, "http_protocol_error"},
    {PAGE_KDC_TIMEOUT, 504, "connection_timeout"},
    {PAGE_BODY_LOST, 502, "proxy_internal_response"},
    {PAGE_BUSY, 503, "connection_limit_reached"},
    {PAGE_INTERNAL, 500, "proxy_internal_error"},
    {PAGE_NO_TOKEN, 407, "http_request_denied"},
};

static struct page sample(enum page_cause cause)
{
    return (struct page){
        .cause = cause,
        .why = SPAN("proxy \"<b>\\&'\" said\r\nX: y \001caf\303\251"),
        .remedy = SPAN("run exeat login"),
        .tag = SPAN("c12.r3"),
        .next_hop = SPAN("proxy.example:8080"),
        .realm = cause == PAGE_CLIENT_CREDENTIALS ? SPAN("corp") : SPAN(""),
    };
}

static void read_page(struct message *m, struct buf *out, const struct page *page)
{
    assert_true(page_write(out, page));
    if (message_read(m, buf_span(out), out->n, page->head_only ? "HEAD" : "GET") != ACCEPTED)
        fail_msg("cause %d: %s", (int)page->cause, m->fault.why);
    assert_int_equal(m->used, out->n);
}

static struct span value_of(const struct message *m, const char *name)
{
    assert_int_equal(head_field_count(&m->head, name), 1);
    return head_field(&m->head, name)->value;
}

static void test_causes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
        for (int html = 0; html < 2; html++) {
            struct page page = sample(causes[i].cause);
            page.html = html;
            struct buf out = {0};
            struct message m;
            read_page(&m, &out, &page);
            assert_int_equal(m.head.status, causes[i].status);
            assert_int_equal(head_field_count(&m.head, "Proxy-Authenticate"), causes[i].status == 407);
            assert_int_equal(page_status(causes[i].cause), causes[i].status);
            assert_false(span_eq(m.head.reason, SPAN("Error")));
            struct buf expected = {0};
            buf_addf(&expected,
                     "exeat; error=%s; details=\"proxy \\\"<b>\\\\&'\\\" said??X: y ?caf\?\?\"; "
                     "next-hop=\"proxy.example:8080\"",
                     causes[i].token);
            assert_true(span_eq(value_of(&m, "Proxy-Status"), buf_span(&expected)));
            buf_free(&expected);
            char digits[4];
            snprintf(digits, sizeof digits, "%u", causes[i].status);
            const char *body = buf_cstr(&m.body);
            assert_non_null(strstr(body, digits));
            assert_non_null(strstr(body, "run exeat login"));
            assert_non_null(strstr(body, "c12.r3"));
            assert_non_null(strstr(body, "proxy.example:8080"));
            assert_non_null(
                strstr(body, html ? "proxy &quot;&lt;b&gt;\\&amp;&#39;&quot; said??X: y ?caf\303\251"
                                  : "proxy \"<b>\\&'\" said??X: y ?caf\303\251"));
            message_free(&m);
            buf_free(&out);
        }
}

static void test_fields(void **state)
{
    (void)state;
    struct page page = sample(PAGE_BAD_REQUEST);
    page.status = 431;
    page.close = true;
    struct buf out = {0};
    struct message m;
    read_page(&m, &out, &page);
    assert_int_equal(m.head.status, 431);
    assert_true(span_eq(m.head.reason, SPAN("Request Header Fields Too Large")));
    assert_true(span_eq(value_of(&m, "Content-Type"), SPAN("text/plain; charset=utf-8")));
    assert_true(span_eq(value_of(&m, "Cache-Control"), SPAN("no-store")));
    assert_true(span_eq(value_of(&m, "X-Content-Type-Options"), SPAN("nosniff")));
    assert_false(header_keeps_alive(&m.head));
    message_free(&m);
    buf_clear(&out);

    page.html = true;
    page.close = false;
    read_page(&m, &out, &page);
    assert_true(span_eq(value_of(&m, "Content-Type"), SPAN("text/html; charset=utf-8")));
    assert_true(header_keeps_alive(&m.head));
    size_t length = m.body.n;
    message_free(&m);
    buf_clear(&out);

    page.head_only = true;
    read_page(&m, &out, &page);
    uint64_t said;
    assert_true(span_u64(value_of(&m, "Content-Length"), &said));
    assert_int_equal(said, length);
    assert_int_equal(m.body.n, 0);
    message_free(&m);
    buf_free(&out);
}

/* Only what is known is named, and a long reason is cut in the head. */
static void test_challenge(void **state)
{
    (void)state;
    struct buf out = {0};
    struct page page = sample(PAGE_CLIENT_CREDENTIALS);
    page.realm = SPAN("a \"corp\" \\\r\nX: y");
    page_write(&out, &page);
    const char *want =
        "\r\nProxy-Authenticate: Basic realm=\"a \\\"corp\\\" \\\\??X: y\", charset=\"UTF-8\"\r\n";
    assert_non_null(strstr(buf_cstr(&out), want));
    buf_clear(&out);
    page.realm = SPAN("");
    page_write(&out, &page);
    assert_null(strstr(buf_cstr(&out), "Proxy-Authenticate"));
    buf_free(&out);
}

static void test_little_and_much(void **state)
{
    (void)state;
    struct page page = {.cause = PAGE_DNS};
    struct buf out = {0};
    struct message m;
    read_page(&m, &out, &page);
    assert_true(span_eq(value_of(&m, "Proxy-Status"), SPAN("exeat; error=dns_error")));
    assert_null(strstr(buf_cstr(&m.body), "What to do"));
    message_free(&m);
    buf_clear(&out);

    struct buf why = {0};
    for (size_t i = 0; i < 100000; i++)
        buf_add_str(&why, "\"");
    page.why = buf_span(&why);
    read_page(&m, &out, &page);
    assert_true(value_of(&m, "Proxy-Status").n < 1200);
    message_free(&m);

    struct buf small;
    buf_init(&small, 300);
    assert_false(page_write(&small, &page));
    assert_int_equal(small.n, 0);
    buf_free(&small);
    buf_free(&why);
    buf_free(&out);
}

static void test_document(void **state)
{
    (void)state;
    struct buf out = {0};
    struct message m;
    assert_true(page_write_document(
        &out,
        &(struct page_document){.type = SPAN("application/json"), .content = SPAN("{}"), .close = true}));
    assert_int_equal(message_read(&m, buf_span(&out), out.n, "GET"), ACCEPTED);
    assert_int_equal(m.head.status, 200);
    assert_true(span_eq(value_of(&m, "Content-Type"), SPAN("application/json")));
    assert_string_equal(buf_cstr(&m.body), "{}");
    assert_false(header_keeps_alive(&m.head));
    message_free(&m);
    buf_free(&out);
}

static void test_accept(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        bool html;
    } cases[] = {
        {"", false},
        {"Accept: */*\r\n", false},
        {"Accept: text/html\r\n", true},
        {"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n", true},
        {"Accept: application/json\r\nAccept: TEXT/HTML;level=1;q=0.3\r\n", true},
        {"Accept: text/html;q=0\r\n", false},
        {"Accept: text/html;q=0.000\r\n", false},
        {"Accept: text/html;q=0.4, text/plain;q=0.5\r\n", false},
        {"Accept: text/html;q=0.5, text/plain;q=0.5\r\n", true},
        {"Accept: text/html;q=1.0, text/plain;q=0.999\r\n", true},
        {"Accept: text/html;q=x\r\n", false},
        {"Accept: text/*\r\n", false},
    };
    assert_false(page_wants_html(NULL));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = {0};
        struct head h;
        struct fault fault;
        buf_addf(&b, "GET http://a/ HTTP/1.1\r\nHost: a\r\n%s\r\n", cases[i].fields);
        assert_true(head_read_request(&h, buf_span(&b), &head_limits_default, &fault));
        if (page_wants_html(&h) != cases[i].html)
            fail_msg("%s", cases[i].fields);
        head_free(&h);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_causes),    cmocka_unit_test(test_fields),
        cmocka_unit_test(test_challenge), cmocka_unit_test(test_little_and_much),
        cmocka_unit_test(test_document),  cmocka_unit_test(test_accept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
