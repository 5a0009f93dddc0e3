/* TLS as the server of our own clients: against our own client, which has tests of its own, and against OpenSSL's for what that one never says. Certificates are
   made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certificates.h"
#include "net/certificate.h"
#include "net/secure.h"
#include "net/tls.h"
#include "with_loop.h"

static char folder[] = "/tmp/exeat-test-tls-server-XXXXXX";
static char certificate_file[80], key_file[80];
static X509 *certificate;
static struct err why;

static int make_all(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(certificate_file, sizeof certificate_file, "%s/certificate.pem", folder);
    snprintf(key_file, sizeof key_file, "%s/key.pem", folder);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    certificate = certificate_for(key, EVP_sha384(), "DNS:gateway.example");
    FILE *f = fopen(certificate_file, "w");
    PEM_write_X509(f, certificate);
    fclose(f);
    f = fopen(key_file, "w");
    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
    chmod(key_file, 0600);
    EVP_PKEY_free(key);
    return 0;
}

static int remove_all(void **state)
{
    (void)state;
    X509_free(certificate);
    unlink(certificate_file);
    unlink(key_file);
    rmdir(folder);
    return 0;
}

static struct tls_server *server_new(void)
{
    struct tls_server *s = tls_server_new(certificate_file, key_file, &why);
    if (!s)
        fail_msg("%s", why.text);
    return s;
}

static struct tls_client *client_new(void)
{
    struct tls_settings settings = {.host = SPAN("gateway.example"), .ca = certificate_file};
    struct tls_client *c = tls_client_new(&settings, &why);
    if (!c)
        fail_msg("%s", why.text);
    return c;
}

/* --- in memory --- */

struct pair {
    struct tls *ours, *theirs; /* server, client */
    struct buf to_ours, to_theirs;
};

static void pair_free(struct pair *p)
{
    tls_free(p->ours);
    tls_free(p->theirs);
    buf_free(&p->to_ours);
    buf_free(&p->to_theirs);
}

static void shake(struct pair *p)
{
    bool done[2] = {false, false};
    for (int i = 0; i < 10 && !(done[0] && done[1]); i++) {
        struct span records = buf_span(&p->to_theirs);
        if (!done[1])
            assert_int_equal(tls_handshake(p->theirs, &records, &p->to_ours, &done[1], &why), TLS_OPEN);
        buf_drop(&p->to_theirs, p->to_theirs.n - records.n);
        records = buf_span(&p->to_ours);
        if (!done[0])
            assert_int_equal(tls_handshake(p->ours, &records, &p->to_theirs, &done[0], &why), TLS_OPEN);
        buf_drop(&p->to_ours, p->to_ours.n - records.n);
    }
    assert_true(done[0] && done[1]);
}

static void carry(struct tls *from, struct tls *to, struct buf *between, struct span content)
{
    static char came[65536];
    struct buf back = {0};
    size_t n;
    if (!tls_write(from, content, between))
        fail();
    assert_int_equal(tls_read(to, buf_span(between), &back, came, sizeof came, &n, &why), TLS_OPEN);
    assert_true(span_eq(span_make(came, n), content));
    buf_clear(between);
    buf_free(&back);
}

static void test_content_binding_and_tickets(void **state)
{
    (void)state;
    struct tls_server *s = server_new();
    struct tls_client *c = client_new();
    unsigned char expected[EVP_MAX_MD_SIZE];
    size_t n = certificate_end_point(certificate, expected);
    assert_int_equal(n, 48);
    for (int i = 0; i < 2; i++) {
        struct pair p = {.ours = tls_new_accepted(s), .theirs = tls_new(c)};
        char text[100];
        shake(&p);
        carry(p.ours, p.theirs, &p.to_theirs, SPAN("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"));
        carry(p.theirs, p.ours, &p.to_ours, SPAN("GET / HTTP/1.1\r\n\r\n"));
        assert_int_equal(tls_binding(p.ours).n, n);
        assert_memory_equal(tls_binding(p.ours).p, expected, n);
        assert_true(span_eq(tls_binding(p.theirs), tls_binding(p.ours)));
        tls_describe(p.ours, text, sizeof text);
        assert_int_equal(strstr(text, "resumed") != NULL,
                         i == 1); /* by the ticket that came with the first content */
        pair_free(&p);
    }
    tls_client_unref(c);
    tls_server_unref(s);
}

/* --- other clients --- */

static enum tls_state greet(struct tls_server *s, SSL_CTX *ctx, SSL **theirs)
{
    struct tls *ours = tls_new_accepted(s);
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    char bytes[16384];
    bool done = false;
    enum tls_state state = TLS_OPEN;
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    for (int i = 0; i < 10 && state == TLS_OPEN && !done; i++) {
        struct buf answer = {0};
        SSL_do_handshake(ssl);
        int n = BIO_read(out, bytes, sizeof bytes);
        struct span records = span_make(bytes, n > 0 ? (size_t)n : 0);
        state = tls_handshake(ours, &records, &answer, &done, &why);
        BIO_write(in, answer.p, (int)answer.n);
        buf_free(&answer);
    }
    SSL_do_handshake(ssl);
    assert_int_equal(done, state == TLS_OPEN);
    tls_free(ours);
    *theirs = ssl;
    return state;
}

static void test_protocols_that_clients_offer(void **state)
{
    (void)state;
    static const struct {
        const char *offer;
        unsigned n;
        bool good;
    } cases[] = {{NULL, 0, true}, {"\x02h2\x08http/1.1", 12, true}, {"\x02h2", 3, false}};
    struct tls_server *s = server_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
        const unsigned char *chosen;
        unsigned n;
        SSL *ssl;
        if (cases[i].offer)
            SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)cases[i].offer, cases[i].n);
        assert_int_equal(greet(s, ctx, &ssl), cases[i].good ? TLS_OPEN : TLS_BROKEN);
        SSL_get0_alpn_selected(ssl, &chosen, &n);
        assert_true(span_eq(span_make((const char *)chosen, n), i == 1 ? SPAN("http/1.1") : SPAN("")));
        SSL_free(ssl);
        SSL_CTX_free(ctx);
    }
    tls_server_unref(s);
}

static void test_what_is_no_tls_or_too_old(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *words;
    } cases[] = {{"GET http://a.example/ HTTP/1.1\r\n\r\n", "it speaks HTTP where TLS is expected"},
                 {"CONNECT a.example:443 HTTP/1.1\r\n\r\n", "it speaks HTTP where TLS is expected"},
                 {"\x05\x02\x01\x02 what is this?", "not TLS"}};
    struct tls_server *s = server_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tls *t = tls_new_accepted(s);
        struct span records = span_str(cases[i].bytes);
        struct buf out = {0};
        bool done;
        assert_int_equal(tls_handshake(t, &records, &out, &done, &why), TLS_BROKEN);
        if (!strstr(why.text, cases[i].words))
            fail_msg("%s", why.text);
        buf_free(&out);
        tls_free(t);
    }
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl;
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, TLS1_1_VERSION);
    SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
    assert_int_equal(greet(s, ctx, &ssl), TLS_BROKEN);
    assert_non_null(strstr(why.text, "TLS 1.2 or newer"));
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    tls_server_unref(s);
}

static void test_files_that_are_not_what_they_should_be(void **state)
{
    (void)state;
    assert_null(tls_server_new("/nowhere/certificate.pem", NULL, &why));
    assert_int_equal(why.code, ERR_CONFIG);
    assert_non_null(strstr(why.text, "certificate: cannot read /nowhere/certificate.pem"));
    assert_null(tls_server_new(certificate_file, NULL, &why)); /* no key in it */
    assert_non_null(strstr(why.text, "has no key in it"));
    assert_null(tls_server_new(key_file, NULL, &why));
    assert_non_null(strstr(why.text, "has no certificate in it"));
}

/* --- below streams --- */

static struct ear ours, theirs;
static unsigned secureds;

static void secured(void *owner)
{
    stream_read(((struct ear *)owner)->s);
    secureds++;
}

static void begin_streams(struct tls_server *s, int far[2])
{
    secureds = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, far), 0);
    ear_begin(&ours, stream_from_fd(loop, far[0]));
    stream_secure_accepted(ours.s, s, secured);
}

static void test_streams(void **state)
{
    (void)state;
    struct tls_server *s = server_new();
    struct tls_client *c = client_new();
    int far[2];
    begin_streams(s, far);
    ear_begin(&theirs, stream_from_fd(loop, far[1]));
    stream_secure(theirs.s, c, secured);
    until(secureds == 2);
    assert_int_equal(stream_binding(ours.s).n, 48);
    stream_write(theirs.s, SPAN("question"));
    until(ours.in.n == 8);
    stream_write(ours.s, SPAN("answer"));
    stream_shutdown(ours.s);
    until(theirs.in.n == 6 && theirs.eofs == 1);
    assert_false(stream_cut_short(theirs.s));
    ear_end(&ours);
    ear_end(&theirs);
    tls_client_unref(c);
    tls_server_unref(s);
}

static void test_client_goes_in_the_handshake(void **state)
{
    (void)state;
    struct tls_server *s = server_new();
    int far[2];
    begin_streams(s, far);
    close(far[1]);
    until(ours.faileds == 1);
    assert_non_null(strstr(ours.why.text, "in the middle of the TLS handshake"));
    ear_end(&ours);
    tls_server_unref(s);
}

static void linger_a_minute(struct stream *s)
{
    stream_linger(s, 60);
}

/* Then nothing has been said that would have to arrive: the connection ends at once, and nobody is told of the end of its handshake. */
static void test_we_go_in_the_handshake(void **state)
{
    (void)state;
    void (*const ways[])(struct stream * s) = {linger_a_minute, stream_close, stream_abort};
    struct tls_server *s = server_new();
    struct tls_client *c = client_new();
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct tls *t = tls_new(c);
        struct buf records = {0};
        struct span none = SPAN("");
        char answer[16384];
        int far[2];
        ssize_t n = 0;
        bool done = false;
        begin_streams(s, far);
        tls_handshake(t, &none, &records, &done, &why);
        far_send(far[1], buf_span(&records));
        buf_clear(&records);
        until((n = recv(far[1], answer, sizeof answer, 0)) > 0);
        struct span flight = span_make(answer, (size_t)n);
        tls_handshake(t, &flight, &records, &done, &why);
        assert_true(done);
        ways[i](ours.s);
        ours.s = NULL;
        turns(5);
        assert_int_equal(send(far[1], records.p, records.n, MSG_NOSIGNAL), -1);
        turns(5);
        assert_int_equal(secureds, 0);
        ear_end(&ours);
        close(far[1]);
        buf_free(&records);
        tls_free(t);
    }
    tls_client_unref(c);
    tls_server_unref(s);
}

int main(void)
{
    setenv("OPENSSL_CONF", "/dev/null", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_binding_and_tickets),
        cmocka_unit_test(test_protocols_that_clients_offer),
        cmocka_unit_test(test_what_is_no_tls_or_too_old),
        cmocka_unit_test(test_files_that_are_not_what_they_should_be),
        with_loop(test_streams),
        with_loop(test_client_goes_in_the_handshake),
        with_loop(test_we_go_in_the_handshake),
    };
    return cmocka_run_group_tests(tests, make_all, remove_all);
}
