/* Fetching a script: every oddity of web servers, in clear and over TLS, and what we say of ourselves (nothing but that we are here). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "source/get.h"
#include "web_server.h"

static struct {
    unsigned told;
    enum get_result result;
    struct buf content, from, charset, why;
    bool head;
} end;

static void set(struct buf *b, struct span s)
{
    buf_clear(b);
    buf_add_span(b, s);
}

static void done(void *owner, const struct get_answer *a)
{
    assert_ptr_equal(owner, &end);
    end.told++;
    end.result = a->result;
    end.head = a->head != NULL;
    set(&end.content, a->content);
    set(&end.from, a->from);
    set(&end.charset, a->charset);
    set(&end.why, a->why);
}

static const char *refuse_private(void *owner, struct span host, uint16_t port)
{
    (void)owner;
    (void)port;
    return span_eq(host, SPAN("localhost")) ? "leads to this agent itself" : NULL;
}

static const char *scheme = "http";

static void get(const char *path, const struct get_wish *more)
{
    struct get_wish wish = *more;
    char url[256];
    snprintf(url, sizeof url, "%s://127.0.0.1:%u%s", scheme, web.port, path);
    wish.url = span_str(url);
    wish.refuse = refuse_private;
    end.told = 0;
    get_start(loop, &wish, done, &end);
    assert_int_equal(end.told, 0);
    until(end.told);
    turns(3);
    assert_int_equal(end.told, 1);
}

static void check(const char *bytes, size_t n, enum web_end how, enum get_result result, const char *text)
{
    web_put("/p", span_make(bytes, n), how);
    get("/p", &(struct get_wish){0});
    const char *said = buf_cstr(end.result == GET_NEW ? &end.content : &end.why);
    if (end.result != result || (result == GET_NEW ? strcmp(said, text) != 0 : strstr(said, text) == NULL))
        fail_msg("%.*s: %d %s", (int)n, bytes, end.result, said);
}

#define OK "HTTP/1.1 200 OK\r\n"

static void takes_what_is_good(void **state)
{
    static const struct {
        const char *bytes, *content, *charset;
    } rows[] = {
        {OK "Content-Length: 3\r\n\r\nabc", "abc", ""},
        {OK "Content-Length: 3\r\n\r\nabcdef", "abc", ""},
        {OK "\r\nabc", "abc", ""},
        {"HTTP/1.0 200 OK\r\n\r\nabc", "abc", ""},
        {"HTTP/1.0 200 OK\n\nabc", "abc", ""},
        {OK "Content-Length: 0\r\n\r\n", "", ""},
        {OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x=y\r\nbc\r\n0\r\nT: u\r\n\r\n", "abc", ""},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK
         "Content-Length: 1\r\n\r\na",
         "a", ""},
        {OK "Content-Encoding: identity\r\n\r\na", "a", ""},
        {OK "Content-Type: text/html\r\n\r\na", "a", ""},
        {OK "Content-Type: application/x-ns-proxy-autoconfig; Charset=\"ISO-8859-1\"\r\n\r\n\xe4", "\xe4",
         "ISO-8859-1"},
        {OK "Content-Type: a/b; x=y;charset=utf-8; z\r\n\r\na", "a", "utf-8"},
        {OK "Content-Type: a/b; charset=\"a b\"\r\n\r\na", "a", ""},
        {OK "Content-Type: a/b; charset\r\n\r\na", "a", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check(rows[i].bytes, strlen(rows[i].bytes), WEB_CLOSE, GET_NEW, rows[i].content);
        assert_string_equal(buf_cstr(&end.charset), rows[i].charset);
        assert_true(end.head);
    }
    check(OK "Content-Length: 3\r\n\r\nabc", strlen(OK "Content-Length: 3\r\n\r\nabc"), WEB_HOLD, GET_NEW,
          "abc");
}

static void says_what_is_wrong(void **state)
{
    static const struct {
        const char *bytes;
        enum get_result result;
        const char *why;
    } rows[] = {
        {"", GET_FAILED, "hung up without an answer"},
        {"HTTP/1.1 200 O", GET_FAILED, "hung up without an answer"},
        {"SSH-2.0-x\r\n\r\n", GET_FAILED, ""},
        {OK "Content-Length: 4\r\n\r\nabc", GET_FAILED, "in the middle (3 bytes"},
        {OK "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd", GET_FAILED, ""},
        {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nab", GET_FAILED, "in the middle"},
        {OK "Transfer-Encoding: chunked\r\n\r\nzz\r\nab", GET_FAILED, "chunks"},
        {OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", GET_FAILED, ""},
        {OK "Content-Encoding: gzip\r\n\r\nabc", GET_FAILED, "compressed"},
        {OK "Content-Length: 1048577\r\n\r\nabc", GET_FAILED, "larger than 1015 KiB"},
        {OK "Content-Length: 99999999999999999999\r\n\r\nabc", GET_FAILED, ""},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc", GET_NOT_THERE, "answers 404"},
        {"HTTP/1.1 410 Gone\r\n\r\n", GET_NOT_THERE, "answers 410"},
        {"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\n\r\n", GET_FAILED,
         "without credentials"},
        {"HTTP/1.1 407 Proxy\r\nProxy-Authenticate: NTLM\r\n\r\n", GET_FAILED, "answers 407"},
        {"HTTP/1.1 503 Busy\r\n\r\n", GET_FAILED, "answers 503"},
        {"HTTP/1.1 204 None\r\n\r\n", GET_FAILED, "answers 204"},
        {"HTTP/1.1 206 Part\r\nContent-Length: 3\r\n\r\nabc", GET_FAILED, "answers 206"},
        {"HTTP/1.1 304 Same\r\n\r\n", GET_FAILED,
         "answers 304"}, /* nothing was asked for that could be the same */
        {"HTTP/1.1 101 Other\r\nUpgrade: x\r\n\r\n", GET_FAILED, "answers 101"},
        {"HTTP/1.1 302 Found\r\n\r\n", GET_FAILED, "without saying where"},
        {"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n", GET_FAILED, "redirects to is no http"},
        {"HTTP/1.1 302 Found\r\nLocation: http://u:secret@127.0.0.1/\r\n\r\n", GET_FAILED,
         "user name or password"},
        {"HTTP/1.1 302 Found\r\nLocation: http://localhost:1/\r\n\r\n", GET_FAILED,
         "leads to this agent itself"},
        {"HTTP/1.1 302 Found\r\nLocation: /p\r\n\r\n", GET_FAILED, "one redirect too many"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check(rows[i].bytes, strlen(rows[i].bytes), WEB_CLOSE, rows[i].result, rows[i].why);
        assert_null(strstr(buf_cstr(&end.why), "secret"));
    }
}

static const char *refuse_loopback(void *owner, struct span host, uint16_t port)
{
    (void)owner;
    return span_eq(host, SPAN("127.0.0.1")) && port == web.port ? "leads to this agent itself" : NULL;
}

static void sees_through_names(void **state)
{
    char url[64];
    (void)state;
    snprintf(web_names, sizeof web_names, "a.example ");
    snprintf(url, sizeof url, "http://a.example:%u/p", web.port);
    end.told = 0;
    get_start(loop, &(struct get_wish){.url = span_str(url), .refuse = refuse_loopback}, done, &end);
    until(end.told);
    assert_int_equal(end.result, GET_FAILED);
    assert_non_null(strstr(buf_cstr(&end.why), "leads to this agent itself"));
    assert_int_equal(web_requests(), 0);
    web_names[0] = '\0';
}

static void has_ceilings(void **state)
{
    struct buf big = {0};
    (void)state;
    buf_add_str(&big, OK "\r\n");
    size_t head = big.n;
    while (big.n < head + GET_BYTES)
        buf_add_str(&big, "0123456789abcdef");
    web_put("/p", buf_span(&big), WEB_CLOSE);
    get("/p", &(struct get_wish){0});
    assert_int_equal(end.result, GET_NEW);
    assert_int_equal(end.content.n, GET_BYTES);
    buf_add_str(&big, "x");
    check(big.p, big.n, WEB_HOLD, GET_FAILED, "larger than 1015 KiB");
    buf_clear(&big);
    buf_add_str(&big, "HTTP/1.1 200 ");
    while (big.n < 200000)
        buf_add_str(&big, "xxxxxxxxxxxxxxxx");
    check(big.p, big.n, WEB_HOLD, GET_FAILED, "head of its answer is too large");
    buf_clear(&big);
    for (unsigned i = 0; i < 20; i++)
        buf_add_str(&big, "HTTP/1.1 100 Continue\r\n\r\n");
    check(big.p, big.n, WEB_HOLD, GET_FAILED, "answers 100");
    buf_free(&big);
}

static void gives_up_on_the_slow(void **state)
{
    (void)state;
    web_put("/silent", SPAN(""), WEB_HOLD);
    get("/silent", &(struct get_wish){.timeout_ms = 50});
    assert_int_equal(end.result, GET_FAILED);
    assert_non_null(strstr(buf_cstr(&end.why), "took too long"));
    web_put("/stops", SPAN(OK "Content-Length: 9\r\n\r\nabc"), WEB_HOLD);
    /* A busy machine needs longer until the three bytes are here. */
    for (unsigned ms = 50; ms < PATIENCE_SECONDS * 1000; ms *= 4) {
        get("/stops", &(struct get_wish){.timeout_ms = ms});
        assert_non_null(strstr(buf_cstr(&end.why), "took too long"));
        if (strstr(buf_cstr(&end.why), "(3 bytes"))
            break;
    }
    assert_non_null(strstr(buf_cstr(&end.why), "took too long (3 bytes"));
}

static void follows_redirects(void **state)
{
    static const unsigned statuses[] = {301, 302, 303, 307, 308};
    char text[128];
    (void)state;
    web_put("/d/q", SPAN(OK "Content-Length: 1\r\n\r\nq"), WEB_CLOSE);
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        snprintf(text, sizeof text, "HTTP/1.1 %u X\r\nLocation: d/q\r\nContent-Length: 5\r\n\r\nhello",
                 statuses[i]);
        check(text, strlen(text), WEB_CLOSE, GET_NEW, "q");
        snprintf(text, sizeof text, "http://127.0.0.1:%u/d/q", web.port);
        assert_string_equal(buf_cstr(&end.from), text);
    }
}

static void asks_whether_it_is_the_same(void **state)
{
    char url[64];
    (void)state;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/p", web.port);
    web_put("/p", SPAN("HTTP/1.1 304 Same\r\nCache-Control: max-age=1\r\n\r\n"), WEB_CLOSE);
    web_put("/q", SPAN("HTTP/1.1 304 Same\r\n\r\n"), WEB_CLOSE);
    struct get_wish wish = {.have_from = span_str(url), .etag = SPAN("\"e\""), .modified = SPAN("yesterday")};
    get("/p", &wish);
    assert_int_equal(end.result, GET_SAME);
    assert_true(end.head);
    assert_true(web_was_asked("If-None-Match: \"e\"\r\n"));
    assert_true(web_was_asked("If-Modified-Since: yesterday\r\n"));
    get("/p", &(struct get_wish){.have_from = span_str(url), .modified = SPAN("yesterday")});
    assert_int_equal(end.result, GET_SAME);
    web_forget();
    get("/q", &wish); /* what another URL gave is nothing here */
    assert_int_equal(end.result, GET_FAILED);
    assert_false(web_was_asked("If-"));
}

static void says_nothing_of_us(void **state)
{
    char host[64];
    (void)state;
    web_put("/p?token=x", SPAN(OK "\r\na"), WEB_CLOSE);
    get("/p?token=x#f", &(struct get_wish){0});
    snprintf(host, sizeof host, "GET /p?token=x HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n", web.port);
    assert_int_equal(end.result, GET_NEW);
    assert_true(web_was_asked(host));
    assert_true(web_was_asked("Accept-Encoding: identity\r\n"));
    assert_true(web_was_asked("Connection: close\r\n"));
    assert_false(web_was_asked("Authorization"));
    assert_false(web_was_asked("Cookie"));
    get("?q", &(struct get_wish){0});
    assert_true(web_was_asked("GET /?q HTTP/1.1"));
    web_put("/p?token=x", SPAN("HTTP/1.1 500 No\r\n\r\n"), WEB_CLOSE);
    get("/p?token=x", &(struct get_wish){0});
    assert_null(strstr(buf_cstr(&end.why), "token"));
}

static void can_be_called_off(void **state)
{
    char url[64];
    (void)state;
    web_put("/p", SPAN(OK "Content-Length: 9\r\n\r\nabc"), WEB_HOLD);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/p", web.port);
    struct get_wish wish = {.url = span_str(url)};
    for (unsigned rounds = 0; rounds < 8; rounds++) {
        end.told = 0;
        struct get *g = get_start(loop, &wish, done, &end);
        turns(rounds);
        get_cancel(g);
        turns(5);
        assert_int_equal(end.told, 0);
    }
}

static void finds_no_server(void **state)
{
    int holder;
    (void)state;
    uint16_t real = web.port;
    web.port = closed_port(&holder);
    get("/p", &(struct get_wish){0});
    assert_int_equal(end.result, GET_FAILED);
    assert_non_null(strstr(buf_cstr(&end.why), "cannot connect"));
    web.port = real;
    close(holder);
    end.told = 0;
    get_start(loop, &(struct get_wish){.url = SPAN("http://nowhere.invalid/p")}, done, &end);
    until(end.told);
    assert_int_equal(end.result, GET_NO_SERVER);
}

static void checks_who_it_is(void **state)
{
    (void)state;
    web_put("/p", SPAN(OK "\r\nabc"), WEB_CLOSE);
    setenv("SSL_CERT_FILE", "/dev/null", 1);
    setenv("SSL_CERT_DIR", "/dev/null", 1);
    get("/p", &(struct get_wish){0});
    assert_int_equal(end.result, GET_FAILED);
    assert_non_null(strstr(buf_cstr(&end.why), "no TLS with"));
    assert_int_equal(web_requests(), 0);
    setenv("SSL_CERT_FILE", *state, 1);
    get("/p", &(struct get_wish){0});
    assert_int_equal(end.result, GET_NEW);
    assert_string_equal(buf_cstr(&end.content), "abc");
    web_put("/p", SPAN(OK "\r\nabc"), WEB_NO_GOODBYE); /* somebody may have cut it short */
    get("/p", &(struct get_wish){0});
    assert_int_equal(end.result, GET_FAILED);
    char text[128];
    snprintf(text, sizeof text, "HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:%u/p\r\n\r\n", web.port);
    web_put("/p", span_str(text), WEB_CLOSE);
    get("/p", &(struct get_wish){0});
    assert_int_equal(end.result, GET_FAILED);
    assert_non_null(strstr(buf_cstr(&end.why), "could change the script"));
}

/* --- up and down --- */

static int up(void **state)
{
    web_start(NULL);
    scheme = "http";
    return loop_set_up(state);
}

static int down(void **state)
{
    web_stop();
    return loop_tear_down(state);
}

static char file[] = "/tmp/exeat-get-XXXXXX";
static SSL_CTX *tls;

static int tls_up(void **state)
{
    close(mkstemp(file));
    tls = web_tls(file);
    web_start(tls);
    scheme = "https";
    loop_set_up(state);
    *state = file;
    return 0;
}

static int tls_down(void **state)
{
    web_stop();
    SSL_CTX_free(tls);
    unlink(file);
    return loop_tear_down(state);
}

static int forget_all(void **state)
{
    (void)state;
    buf_free(&end.content);
    buf_free(&end.from);
    buf_free(&end.charset);
    buf_free(&end.why);
    return 0;
}

#define with_web(test) cmocka_unit_test_setup_teardown(test, up, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_web(takes_what_is_good),
        with_web(says_what_is_wrong),
        with_web(sees_through_names),
        with_web(has_ceilings),
        with_web(gives_up_on_the_slow),
        with_web(follows_redirects),
        with_web(asks_whether_it_is_the_same),
        with_web(says_nothing_of_us),
        with_web(can_be_called_off),
        with_web(finds_no_server),
        cmocka_unit_test_setup_teardown(checks_who_it_is, tls_up, tls_down),
    };
    return cmocka_run_group_tests(tests, NULL, forget_all);
}
