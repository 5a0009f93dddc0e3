/*
 * Connections over TLS. SSL reads and writes through a BIO of our own, which takes records from the caller's bytes and appends them to the caller's buffer:
 * no descriptor, no copy between. As there is always room in that buffer, SSL never has to wait with a write.
 */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "net/tls_inside.h"

/* --- the BIO --- */

static int take(BIO *b, char *to, int room)
{
    struct tls *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (t->in.n == 0) {
        BIO_set_retry_read(b);
        return -1;
    }
    struct span part = span_head(t->in, (size_t)room);
    memcpy(to, part.p, part.n);
    t->in = span_from(t->in, part.n);
    return (int)part.n;
}

static int put(BIO *b, const char *bytes, int n)
{
    struct tls *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    return buf_add(t->out, bytes, (size_t)n) ? n : -1;
}

static long control(BIO *b, int what, long number, void *pointer)
{
    (void)b;
    (void)number;
    (void)pointer;
    return what == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_bio_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "lent bytes");
    BIO_meth_set_read(m, take);
    BIO_meth_set_write(m, put);
    BIO_meth_set_ctrl(m, control);
    return m;
}

/* --- errors --- */

enum whose { ANY, WITHOUT_CERTIFICATE, WITH_CERTIFICATE };

static const char not_tls[] = "what it sends is not TLS; is it perhaps an http:// proxy?";
static const char too_old[] = "it does not speak TLS 1.2 or newer";
static const char wants_one[] =
    "it asks for a certificate of ours, and none is set (exeat.conf: certificate, key)";
static const char refuses_ours[] = "it does not accept our certificate (exeat.conf: certificate, key)";

static const struct {
    int reason;
    const char *words;
    enum whose when;
} reasons[] = {
    {SSL_R_WRONG_VERSION_NUMBER, not_tls, ANY},
    {SSL_R_HTTP_REQUEST, not_tls, ANY},
    {SSL_R_PACKET_LENGTH_TOO_LONG, not_tls, ANY},
    {SSL_R_BAD_PACKET_LENGTH, not_tls, ANY},
    {SSL_R_UNSUPPORTED_PROTOCOL, too_old, ANY},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, too_old, ANY},
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, wants_one, WITHOUT_CERTIFICATE},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, wants_one, WITHOUT_CERTIFICATE},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, refuses_ours, WITH_CERTIFICATE},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, refuses_ours, WITH_CERTIFICATE},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, refuses_ours, WITH_CERTIFICATE},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, refuses_ours, WITH_CERTIFICATE},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, refuses_ours, WITH_CERTIFICATE},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, refuses_ours, WITH_CERTIFICATE},
    {SSL_R_TLSV1_ALERT_ACCESS_DENIED, refuses_ours, WITH_CERTIFICATE},
    {SSL_R_TLSV1_ALERT_DECRYPT_ERROR, refuses_ours, WITH_CERTIFICATE},
};

/* Of a client nothing is asked, and little can be said. */
static const char *words_of_client(int reason)
{
    switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
        return "it speaks HTTP where TLS is expected: use https:// in the proxy's address";
    case SSL_R_WRONG_VERSION_NUMBER:
        return "what it sends is not TLS";
    case SSL_R_UNSUPPORTED_PROTOCOL:
        return too_old;
    default:
        return NULL;
    }
}

static enum tls_state broken(const struct tls *t, struct err *e)
{
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
    ERR_clear_error();
    if (t->fault.code) {
        *e = t->fault;
        return TLS_BROKEN;
    }
    if (t->server && words_of_client(reason)) {
        err_set(e, ERR_PROTOCOL, "%s", words_of_client(reason));
        return TLS_BROKEN;
    }
    for (size_t i = 0; t->client && i < sizeof reasons / sizeof *reasons; i++) {
        if (reason != reasons[i].reason ||
            (reasons[i].when == WITHOUT_CERTIFICATE && (!t->asked || t->client->has_certificate)) ||
            (reasons[i].when == WITH_CERTIFICATE && !(t->asked && t->client->has_certificate)))
            continue;
        err_set(e, ERR_PROTOCOL, "%s", reasons[i].words);
        return TLS_BROKEN;
    }
    const char *words = ERR_reason_error_string(error);
    err_set(e, ERR_PROTOCOL, "TLS failed: %s", words ? words : "no reason is given");
    return TLS_BROKEN;
}

/* --- connections --- */

static struct tls *begin(SSL_CTX *ctx, const BIO_METHOD *method)
{
    struct tls *t = mem_zero(sizeof *t);
    t->ssl = SSL_new(ctx);
    BIO *bio = BIO_new(method);
    if (!t->ssl || !bio) {
        log_error(NULL, "out of memory for TLS");
        abort();
    }
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_app_data(t->ssl, t);
    return t;
}

struct tls *tls_new_accepted(struct tls_server *s)
{
    struct tls *t = begin(s->ctx, s->method);
    t->server = tls_server_ref(s);
    SSL_set_accept_state(t->ssl);
    return t;
}

struct tls *tls_new(struct tls_client *c)
{
    struct tls *t = begin(c->ctx, c->method);
    t->client = tls_client_ref(c);
    SSL_set_connect_state(t->ssl);
    if (c->is_address) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), c->host);
    } else {
        SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        SSL_set1_host(t->ssl, c->host);
        SSL_set_tlsext_host_name(t->ssl, c->host);
    }
    if (c->session && SSL_SESSION_is_resumable(c->session))
        SSL_set_session(t->ssl, c->session);
    return t;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    if (SSL_is_init_finished(
            t->ssl)) /* else OpenSSL takes the ticket of a connection that was cut off for worthless */
        SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(t->ssl);
    tls_client_unref(t->client);
    tls_server_unref(t->server);
    free(t);
}

/* From the start of a call to its end. */
static void lend(struct tls *t, struct span in, struct buf *out)
{
    t->in = in;
    t->out = out;
    ERR_clear_error();
}

static void take_binding(struct tls *t)
{
    const X509 *x = t->server ? SSL_get_certificate(t->ssl) : SSL_get0_peer_certificate(t->ssl);
    t->n_binding = x ? certificate_end_point(x, t->binding) : 0;
    if (t->n_binding || t->server || t->client->unbindable_said)
        return;
    t->client->unbindable_said = true;
    log_info(NULL,
             "%s: its certificate is signed with a scheme that has no hash of its own (Ed25519): no channel "
             "binding (RFC 5929) is possible",
             t->client->host);
}

enum tls_state tls_handshake(struct tls *t, struct span *in, struct buf *out, bool *done, struct err *e)
{
    lend(t, *in, out);
    int result = SSL_do_handshake(t->ssl);
    *in = t->in;
    *done = result == 1;
    if (!*done)
        return SSL_get_error(t->ssl, result) == SSL_ERROR_WANT_READ ? TLS_OPEN : broken(t, e);
    take_binding(t);
    return TLS_OPEN;
}

enum tls_state tls_read(struct tls *t, struct span in, struct buf *out, char *content, size_t size, size_t *n,
                        struct err *e)
{
    lend(t, in, out);
    *n = 0;
    size_t got;
    while (*n < size && SSL_read_ex(t->ssl, content + *n, size - *n, &got) == 1)
        *n += got;
    if (*n == size)
        return TLS_OPEN;
    switch (SSL_get_error(t->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
        return TLS_OPEN;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_ENDED;
    default:
        return broken(t, e);
    }
}

bool tls_write(struct tls *t, struct span content, struct buf *out)
{
    size_t n;
    lend(t, SPAN(""), out);
    return content.n == 0 || SSL_write_ex(t->ssl, content.p, content.n, &n) == 1;
}

void tls_end(struct tls *t, struct buf *out)
{
    lend(t, SPAN(""), out);
    if (!(SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN) && SSL_is_init_finished(t->ssl))
        SSL_shutdown(t->ssl);
}

struct span tls_binding(const struct tls *t)
{
    return span_make((const char *)t->binding, t->n_binding);
}

void tls_describe(const struct tls *t, char *text, size_t size)
{
    snprintf(text, size, "%s, %s%s", SSL_get_version(t->ssl), SSL_get_cipher_name(t->ssl),
             SSL_session_reused(t->ssl) ? ", resumed" : "");
}
