/*
 * What all connections to one listening address share: one SSL_CTX with our certificate. Sessions are resumed by tickets, so that nothing is kept of
 * clients that have gone.
 */
#include <openssl/err.h>
#include <stdlib.h>

#include "base/log.h"
#include "net/tls_inside.h"

/* Clients that ask for other protocols only are told so (RFC 7301 section 3.2); those that ask for none speak HTTP/1.1. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *n,
                           const unsigned char *offered, unsigned n_offered, void *unused)
{
    (void)ssl;
    (void)unused;
    int found =
        SSL_select_next_proto((unsigned char **)(uintptr_t)chosen, n, (const unsigned char *)ALPN_HTTP_1_1,
                              sizeof ALPN_HTTP_1_1 - 1, offered, n_offered);
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void configure(SSL_CTX *ctx)
{
    tls_common(ctx);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
}

struct tls_server *tls_server_new(const char *certificate, const char *key, struct err *e)
{
    struct tls_server *s = mem_zero(sizeof *s);
    s->refs = 1;
    s->ctx = SSL_CTX_new(TLS_server_method());
    s->method = tls_bio_method();
    bool ok =
        s->ctx ? tls_show(s->ctx, certificate, key, e) : err_set(e, ERR_SYSTEM, "TLS cannot be used here");
    ERR_clear_error();
    if (!ok) {
        tls_server_unref(s);
        return NULL;
    }
    configure(s->ctx);
    return s;
}

struct tls_server *tls_server_ref(struct tls_server *s)
{
    if (s)
        s->refs++;
    return s;
}

void tls_server_unref(struct tls_server *s)
{
    if (!s || --s->refs > 0)
        return;
    SSL_CTX_free(s->ctx);
    BIO_meth_free(s->method);
    free(s);
}
