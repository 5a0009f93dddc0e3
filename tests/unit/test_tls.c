/* TLS without sockets, against OpenSSL's own server in memory: what the two sides agree on, what is refused, how ends are told, tickets, pins, channel
   bindings; and TLS below a stream, where what a proxy sends comes at the worst moments. Certificates are made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certificates.h"
#include "net/certificate.h"
#include "net/secure.h"
#include "net/tls.h"
#include "with_loop.h"

/* --- certificates --- */

static EVP_PKEY *key_of_all;
static char folder[] = "/tmp/exeat-test-tls-XXXXXX";
static char ca_file[64];

static void put_ca(const X509 *x)
{
    FILE *f = fopen(ca_file, "w");
    assert_non_null(f);
    PEM_write_X509(f, (X509 *)(uintptr_t)x);
    fclose(f);
}

static int make_all(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(ca_file, sizeof ca_file, "%s/ca.pem", folder);
    key_of_all = EVP_EC_gen("P-256");
    assert_non_null(key_of_all);
    return 0;
}

static int remove_all(void **state)
{
    (void)state;
    EVP_PKEY_free(key_of_all);
    unlink(ca_file);
    rmdir(folder);
    return 0;
}

/* --- both sides --- */

static struct {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out;
    X509 *x;
} server;

static struct tls_client *client;
static struct tls *tls;
static struct buf out; /* records of ours that the server has not had */
static struct err why;
static bool done;

static void begin_for(const char *names, const char *host)
{
    server.x = certificate_for(key_of_all, EVP_sha256(), names);
    put_ca(server.x);
    server.ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(server.ctx, server.x);
    SSL_CTX_use_PrivateKey(server.ctx, key_of_all);
    struct tls_settings settings = {.host = span_str(host), .ca = ca_file};
    client = tls_client_new(&settings, &why);
    if (!client)
        fail_msg("%s", why.text);
}

static void begin(void)
{
    begin_for("DNS:proxy.example", "proxy.example");
}

static void connect_server(void)
{
    server.ssl = SSL_new(server.ctx);
    server.in = BIO_new(BIO_s_mem());
    server.out = BIO_new(BIO_s_mem());
    SSL_set_bio(server.ssl, server.in, server.out);
    SSL_set_accept_state(server.ssl);
}

static void connect_both(void)
{
    connect_server();
    tls = tls_new(client);
    done = false;
}

static void hang_up(void)
{
    tls_free(tls);
    tls = NULL;
    SSL_free(server.ssl);
    server.ssl = NULL;
    buf_free(&out);
}

static void end(void)
{
    hang_up();
    SSL_CTX_free(server.ctx);
    X509_free(server.x);
    tls_client_unref(client);
}

static void to_server(void)
{
    if (out.n)
        assert_int_equal(BIO_write(server.in, out.p, (int)out.n), out.n);
    buf_clear(&out);
}

static struct span from_server(void)
{
    static char records[1 << 20];
    int n = BIO_read(server.out, records, sizeof records);
    return span_make(records, n > 0 ? (size_t)n : 0);
}

/* Until both are done, or one gives up: its state. */
static enum tls_state shake(void)
{
    struct span none = SPAN("");
    enum tls_state state = tls_handshake(tls, &none, &out, &done, &why);
    for (int i = 0; i < 10 && state == TLS_OPEN && !done; i++) {
        to_server();
        SSL_do_handshake(server.ssl);
        struct span records = from_server();
        state = tls_handshake(tls, &records, &out, &done, &why);
        assert_true(records.n == 0 || state == TLS_BROKEN);
    }
    to_server();
    SSL_do_handshake(server.ssl); /* tickets may follow */
    return state;
}

static void shake_well(void)
{
    if (shake() != TLS_OPEN)
        fail_msg("%s", why.text);
    assert_true(done);
    assert_true(SSL_is_init_finished(server.ssl));
}

static char content[1 << 20];
static size_t n_content;

static enum tls_state read_server(void)
{
    return tls_read(tls, from_server(), &out, content, sizeof content, &n_content, &why);
}

/* --- agreement --- */

static void test_content(void **state)
{
    (void)state;
    char text[100];
    begin();
    connect_both();
    shake_well();
    tls_describe(tls, text, sizeof text);
    assert_non_null(strstr(text, "TLSv1.3"));
    char *bytes = pattern(100000);
    SSL_write(server.ssl, bytes, 100000);
    assert_int_equal(read_server(), TLS_OPEN);
    assert_int_equal(n_content, 100000);
    assert_memory_equal(content, bytes, 100000);
    assert_true(tls_write(tls, span_make(bytes, 100000), &out));
    assert_true(tls_write(tls, SPAN(""), &out));
    to_server();
    size_t n = 0;
    for (int got; (got = SSL_read(server.ssl, content + n, 20000)) > 0;)
        n += (size_t)got;
    assert_int_equal(n, 100000);
    assert_memory_equal(content, bytes, 100000);
    free(bytes);
    end();
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    begin();
    connect_both();
    struct span none = SPAN("");
    assert_int_equal(tls_handshake(tls, &none, &out, &done, &why), TLS_OPEN);
    for (int i = 0; i < 10 && !done; i++) {
        to_server();
        SSL_do_handshake(server.ssl);
        struct span records = from_server();
        for (size_t k = 0; k < records.n; k++) {
            struct span one = span_make(records.p + k, 1);
            assert_false(done);
            assert_int_equal(tls_handshake(tls, &one, &out, &done, &why), TLS_OPEN);
            assert_int_equal(one.n, 0);
        }
    }
    to_server();
    assert_int_equal(SSL_do_handshake(server.ssl), 1);
    SSL_write(server.ssl, "hello", 5);
    struct span records = from_server();
    struct buf all = {0};
    for (size_t k = 0; k < records.n; k++) {
        assert_int_equal(
            tls_read(tls, span_make(records.p + k, 1), &out, content, sizeof content, &n_content, &why),
            TLS_OPEN);
        buf_add(&all, content, n_content);
    }
    assert_true(span_eq(buf_span(&all), SPAN("hello")));
    buf_free(&all);
    end();
}

static void test_out_that_is_full(void **state)
{
    (void)state;
    begin();
    connect_both();
    shake_well();
    struct buf small = {.max = 100};
    assert_true(tls_write(tls, SPAN("some"), &small));
    assert_false(tls_write(tls, span_make(content, 50000), &small));
    assert_true(small.n <= 100);
    buf_free(&small);
    end();
}

/* --- who it is --- */

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *names, *host;
        bool good;
        const char *sni;
    } cases[] = {
        {"DNS:proxy.example", "PROXY.example", true, "PROXY.example"},
        {"DNS:proxy.example", "proxy.example.", true, "proxy.example"},
        {"DNS:*.corp.example", "proxy.corp.example", true, "proxy.corp.example"},
        {"DNS:*.corp.example", "a.proxy.corp.example", false, "a.proxy.corp.example"},
        {"DNS:pro*.corp.example", "proxy.corp.example", false,
         "proxy.corp.example"}, /* a part of a label is no wildcard */
        {"DNS:proxy.example.org", "proxy.example", false, "proxy.example"},
        {"DNS:other.example", "proxy", false, "proxy"}, /* the CN does not count beside other names */
        {"IP:10.0.0.1", "10.0.0.1", true, NULL},
        {"DNS:10.0.0.1", "10.0.0.1", false, NULL},
        {"IP:2001:db8::1", "2001:db8::1", true, NULL},
        {"IP:2001:db8::2", "2001:db8::1", false, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin_for(cases[i].names, cases[i].host);
        connect_both();
        enum tls_state result = shake();
        if ((result == TLS_OPEN && done) != cases[i].good)
            fail_msg("%s for %s: %s", cases[i].names, cases[i].host, why.text);
        if (!cases[i].good)
            assert_non_null(strstr(why.text, "its certificate is not for "));
        const char *sni = SSL_get_servername(server.ssl, TLSEXT_NAMETYPE_host_name);
        assert_int_equal(sni != NULL, cases[i].sni != NULL);
        if (sni)
            assert_string_equal(sni, cases[i].sni);
        end();
    }
}

static void test_pin_of_a_certificate(void **state)
{
    (void)state;
    struct config_pin pin;
    unsigned char *der = NULL, expected[32];
    X509 *x = certificate_for(key_of_all, EVP_sha256(), "DNS:a");
    int n = i2d_PUBKEY(key_of_all, &der);
    EVP_Digest(der, (size_t)n, expected, NULL, EVP_sha256(), NULL);
    assert_true(certificate_pin(x, &pin));
    assert_memory_equal(pin.sha256, expected, 32);
    OPENSSL_free(der);
    X509_free(x);
}

static void test_end_point(void **state)
{
    (void)state;
    EVP_PKEY *rsa = EVP_RSA_gen(2048), *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    const struct {
        EVP_PKEY *key;
        const EVP_MD *signature, *expected;
    } cases[] = {
        {key_of_all, EVP_sha256(), EVP_sha256()}, {key_of_all, EVP_sha384(), EVP_sha384()},
        {key_of_all, EVP_sha1(), EVP_sha256()},   {rsa, EVP_sha256(), EVP_sha256()},
        {rsa, EVP_sha512(), EVP_sha512()},        {rsa, EVP_md5(), EVP_sha256()},
        {rsa, EVP_sha1(), EVP_sha256()},          {ed, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char hash[EVP_MAX_MD_SIZE], expected[EVP_MAX_MD_SIZE];
        unsigned n = 0;
        X509 *x = certificate_for(cases[i].key, cases[i].signature, "DNS:a");
        if (cases[i].expected)
            X509_digest(x, cases[i].expected, expected, &n);
        assert_int_equal(certificate_end_point(x, hash), n);
        if (n)
            assert_memory_equal(hash, expected, n);
        X509_free(x);
    }
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ed);
}

static void test_binding(void **state)
{
    (void)state;
    unsigned char hash[EVP_MAX_MD_SIZE];
    begin();
    size_t n = certificate_end_point(server.x, hash);
    for (int i = 0; i < 2; i++) { /* the second one is resumed: no certificate comes */
        connect_both();
        shake_well();
        SSL_write(server.ssl, "x", 1);
        read_server();
        assert_int_equal(SSL_session_reused(server.ssl), i);
        assert_true(span_eq(tls_binding(tls), span_make((const char *)hash, n)));
        hang_up();
    }
    end();
}

/* --- what is refused --- */

static unsigned offers;

static int see_offer(SSL *ssl, const unsigned char **chosen, unsigned char *n, const unsigned char *offered,
                     unsigned n_offered, void *owner)
{
    (void)ssl;
    (void)owner;
    assert_int_equal(n_offered, 9);
    assert_memory_equal(offered, "\x08http/1.1", 9);
    offers++;
    *chosen = offered + 1;
    *n = offered[0];
    return SSL_TLSEXT_ERR_OK;
}

static void test_offer_of_protocols(void **state)
{
    (void)state;
    begin();
    offers = 0;
    SSL_CTX_set_alpn_select_cb(server.ctx, see_offer, NULL);
    connect_both();
    shake_well();
    assert_int_equal(offers, 1);
    end();
}

static void test_renegotiation(void **state)
{
    (void)state;
    begin();
    SSL_CTX_set_max_proto_version(server.ctx, TLS1_2_VERSION);
    connect_both();
    shake_well();
    SSL_renegotiate(server.ssl);
    SSL_do_handshake(server.ssl);
    assert_int_equal(read_server(), TLS_OPEN);
    to_server();
    ERR_clear_error();
    char byte;
    assert_true(SSL_read(server.ssl, &byte, 1) < 1);
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
    end();
}

/* --- ends --- */

static void test_their_end(void **state)
{
    (void)state;
    begin();
    connect_both();
    shake_well();
    SSL_write(server.ssl, "last", 4);
    SSL_shutdown(server.ssl);
    assert_int_equal(read_server(), TLS_ENDED);
    assert_int_equal(n_content, 4);
    assert_true(tls_write(tls, SPAN("we go on"), &out));
    to_server();
    assert_int_equal(SSL_read(server.ssl, content, 100), 8);
    end();
}

static void test_our_end(void **state)
{
    (void)state;
    begin();
    connect_both();
    shake_well();
    tls_end(tls, &out);
    size_t once = out.n;
    tls_end(tls, &out);
    assert_true(once > 0 && out.n == once);
    assert_false(tls_write(tls, SPAN("x"), &out));
    to_server();
    assert_int_equal(SSL_read(server.ssl, content, 100), 0);
    assert_int_equal(SSL_get_shutdown(server.ssl), SSL_RECEIVED_SHUTDOWN);
    SSL_write(server.ssl, "they go on", 10);
    assert_int_equal(read_server(), TLS_OPEN);
    assert_int_equal(n_content, 10);
    end();
}

static void test_no_end_before_the_beginning(void **state)
{
    (void)state;
    begin();
    connect_both();
    tls_end(tls, &out);
    assert_int_equal(out.n, 0);
    end();
}

/* --- tickets --- */

static void test_ticket(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t v = 0; v < 2; v++) {
        begin();
        SSL_CTX_set_max_proto_version(server.ctx, versions[v]);
        for (int i = 0; i < 4; i++) { /* none of these ends with close_notify */
            connect_both();
            shake_well();
            assert_int_equal(SSL_session_reused(server.ssl), i > 0);
            SSL_write(server.ssl, "x", 1);
            assert_int_equal(read_server(), TLS_OPEN);
            hang_up();
        }
        end();
    }
}

/* --- below a stream --- */

static struct ear ear;
static int far;
static unsigned secureds;

static void was_secured(void *owner)
{
    const struct ear *e = owner;
    assert_false(e->inside);
    assert_false(stream_reading(e->s));
    secureds++;
}

static void shuttle(void)
{
    static struct buf raw;
    far_take(far, &raw);
    if (raw.n)
        BIO_write(server.in, raw.p, (int)raw.n);
    buf_free(&raw);
}

static void send_records(void)
{
    struct span records = from_server();
    if (records.n)
        far_send(far, records);
}

static void begin_stream_over(enum way way)
{
    int fds[2];
    begin();
    connect_server();
    joined(way, fds);
    far = fds[1];
    secureds = 0;
    ear_begin(&ear, stream_from_fd(loop, fds[0]));
    ear.inside = true;
    stream_secure(ear.s, client, was_secured);
    ear.inside = false;
}

static void begin_stream(void)
{
    begin_stream_over(OVER_TCP);
}

static void end_stream(void)
{
    ear_end(&ear);
    close(far);
    turns(3);
    end();
}

static void shake_stream(void)
{
    until((shuttle(), SSL_do_handshake(server.ssl), send_records(), secureds));
    until((shuttle(), SSL_do_handshake(server.ssl) == 1));
    send_records();
}

static void test_stream(void **state)
{
    (void)state;
    begin_stream();
    shake_stream();
    assert_true(stream_binding(ear.s).n == 32);
    assert_int_equal(stream_bytes_out(ear.s), 0);
    stream_read(ear.s);
    SSL_write(server.ssl, "down", 4);
    send_records();
    until(ear.in.n == 4);
    assert_int_equal(stream_bytes_in(ear.s), 4);
    stream_write(ear.s, SPAN("up"));
    assert_int_equal(stream_bytes_out(ear.s), 2);
    until((shuttle(), SSL_read(server.ssl, content, 10) == 2));
    stream_shutdown(ear.s);
    until(
        (shuttle(), SSL_read(server.ssl, content, 10), SSL_get_shutdown(server.ssl) & SSL_RECEIVED_SHUTDOWN));
    SSL_shutdown(server.ssl);
    send_records();
    until(ear.eofs == 1);
    assert_false(stream_cut_short(ear.s));
    end_stream();
}

/* Backpressure: what the socket does not take is backlog, and all of it arrives. */
static void test_stream_backlog(void **state)
{
    (void)state;
    size_t much = (size_t)4 << 20, got = 0;
    begin_stream();
    shake_stream();
    char *bytes = pattern(much);
    stream_write(ear.s, span_make(bytes, much));
    assert_true(stream_backlog(ear.s) > much / 2);
    turns(5);
    assert_int_equal(ear.draineds, 0);
    static char piece[16384];
    until((shuttle(), ({
               int n;
               while ((n = SSL_read(server.ssl, piece, sizeof piece)) > 0) {
                   assert_memory_equal(piece, bytes + got, (size_t)n);
                   got += (size_t)n;
               }
           }),
           got == much));
    until(ear.draineds == 1);
    assert_int_equal(stream_backlog(ear.s), 0);
    free(bytes);
    end_stream();
}

/* What comes in one piece with the last of the handshake waits until somebody reads. */
static void test_stream_hasty(void **state)
{
    (void)state;
    static const bool ends[] = {false, true};
    for (size_t i = 0; i < 2; i++) {
        begin_stream();
        SSL_set_max_proto_version(server.ssl, TLS1_2_VERSION);
        until((shuttle(), SSL_do_handshake(server.ssl) == 1 || (send_records(), false)));
        SSL_write(server.ssl, "hasty", 5);
        if (ends[i])
            SSL_shutdown(server.ssl);
        send_records();
        until(secureds == 1);
        turns(5);
        assert_int_equal(ear.datas + ear.eofs, 0);
        ear.inside = true;
        stream_read(ear.s);
        stream_pause(ear.s);
        stream_read(ear.s);
        ear.inside = false;
        until(ear.datas == 1);
        assert_true(span_eq(buf_span(&ear.in), SPAN("hasty")));
        if (ends[i]) {
            until(ear.eofs == 1);
        } else {
            SSL_write(server.ssl, "more", 4);
            send_records();
            until(ear.in.n == 9);
        }
        end_stream();
    }
}

static void pausing_data(void *owner, struct span bytes)
{
    ear_data(owner, bytes);
    stream_pause(((struct ear *)owner)->s);
}

/* Who pauses because of the last bytes hears of the end only when he reads on. */
static void test_stream_end_while_paused(void **state)
{
    (void)state;
    static const struct stream_events events = {pausing_data, ear_eof, ear_drained, ear_failed};
    begin_stream();
    shake_stream();
    stream_own(ear.s, &events, &ear);
    stream_read(ear.s);
    SSL_write(server.ssl, "last", 4);
    SSL_shutdown(server.ssl);
    send_records();
    until(ear.datas == 1);
    turns(5);
    assert_int_equal(ear.eofs, 0);
    ear.inside = true;
    stream_read(ear.s);
    ear.inside = false;
    until(ear.eofs == 1);
    end_stream();
}

static void test_stream_cut_short(void **state)
{
    (void)state;
    begin_stream();
    shake_stream();
    stream_read(ear.s);
    shutdown(far, SHUT_WR);
    until(ear.eofs == 1);
    assert_true(stream_cut_short(ear.s));
    end_stream();
}

/* Closing because of the data must hold although the end, or nonsense, came in the same piece. */
static void test_stream_closed_in_its_callbacks(void **state)
{
    (void)state;
    static const struct {
        bool on_data, ends, nonsense;
    } cases[] = {{true, false, false},
                 {true, true, false},
                 {true, false, true},
                 {false, true, false},
                 {false, false, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin_stream();
        shake_stream();
        ear.close_on_data = cases[i].on_data;
        ear.close_on_eof = ear.close_on_failed = true;
        SSL_write(server.ssl, "last", 4);
        if (cases[i].ends)
            SSL_shutdown(server.ssl);
        if (cases[i].nonsense)
            BIO_write(server.out, "this is no record of TLS", 24);
        send_records();
        turns(2); /* all is there */
        stream_read(ear.s);
        until(ear.s == NULL);
        turns(5);
        assert_int_equal(ear.datas, 1);
        assert_int_equal(ear.eofs, !cases[i].on_data && cases[i].ends);
        assert_int_equal(ear.faileds, !cases[i].on_data && cases[i].nonsense);
        end_stream();
    }
}

static void test_stream_closed_in_the_handshake(void **state)
{
    (void)state;
    begin_stream();
    ear_end(&ear);
    turns(5);
    end_stream();
}

static void test_stream_failure_in_the_handshake(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *words;
    } cases[] = {{"HTTP/1.1 400 Bad Request\r\n\r\n", "not TLS"}, {"", "in the middle of the TLS handshake"}};
    for (size_t i = 0; i < 2; i++) {
        begin_stream();
        far_send(far, span_str(cases[i].bytes));
        shutdown(far, SHUT_WR);
        until(ear.faileds == 1);
        assert_int_equal(ear.why.code, ERR_PROTOCOL);
        assert_non_null(strstr(ear.why.text, cases[i].words));
        assert_int_equal(secureds + ear.eofs, 0);
        end_stream();
    }
}

/* Each asks for an answer, and nobody takes the answers: that must not grow without end. */
static void test_stream_flood_of_key_updates(void **state)
{
    (void)state;
    begin_stream_over(OVER_PAIR);
    shake_stream();
    stream_read(ear.s);
    for (int i = 0; i < 100000 && !ear.faileds; i++) {
        SSL_key_update(server.ssl, SSL_KEY_UPDATE_REQUESTED);
        assert_int_equal(SSL_do_handshake(server.ssl), 1);
        send_records();
        turn();
        assert_true(stream_backlog(ear.s) < 256 * 1024);
    }
    assert_int_equal(ear.faileds, 1);
    assert_non_null(strstr(ear.why.text, "does not take the answers"));
    end_stream();
}

int main(void)
{
    setenv("OPENSSL_CONF", "/dev/null", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_out_that_is_full),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_pin_of_a_certificate),
        cmocka_unit_test(test_end_point),
        cmocka_unit_test(test_binding),
        cmocka_unit_test(test_offer_of_protocols),
        cmocka_unit_test(test_renegotiation),
        cmocka_unit_test(test_their_end),
        cmocka_unit_test(test_our_end),
        cmocka_unit_test(test_no_end_before_the_beginning),
        cmocka_unit_test(test_ticket),
        with_loop(test_stream),
        with_loop(test_stream_backlog),
        with_loop(test_stream_hasty),
        with_loop(test_stream_end_while_paused),
        with_loop(test_stream_cut_short),
        with_loop(test_stream_closed_in_its_callbacks),
        with_loop(test_stream_closed_in_the_handshake),
        with_loop(test_stream_failure_in_the_handshake),
        with_loop(test_stream_flood_of_key_updates),
    };
    return cmocka_run_group_tests(tests, make_all, remove_all);
}
