/*
 * What all connections to one proxy share: one SSL_CTX with whom we trust and who we are, and the newest session ticket. A ticket came from a connection that
 * was checked in full by the same settings. The files are read once, when a configuration is loaded.
 */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/log.h"
#include "net/tls_inside.h"

/* --- the check of the certificate --- */

static bool pinned(const struct tls_client *c, const X509 *x, struct err *e)
{
    struct config_pin pin;
    if (!certificate_pin(x, &pin))
        return err_set(e, ERR_PROTOCOL, "the key of its certificate cannot be read");
    for (size_t i = 0; i < c->n_pins; i++)
        if (memcmp(pin.sha256, c->pins[i].sha256, sizeof pin.sha256) == 0)
            return true;
    struct buf text;
    buf_init(&text, 0);
    base64_encode(&text, span_make((const char *)pin.sha256, sizeof pin.sha256));
    err_set(e, ERR_PROTOCOL,
            "its certificate is good, but its key is none of those that are pinned: its pin is %s",
            buf_cstr(&text));
    buf_free(&text);
    return false;
}

/* In place of OpenSSL's call of X509_verify_cert, to see the first thing that is wrong; the host's name is one of the things that it checks. */
static int check(X509_STORE_CTX *chain, void *unused)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *t = SSL_get_app_data(ssl);
    (void)unused;
    if (X509_verify_cert(chain) <= 0) {
        certificate_explain(&t->fault, chain, t->client->host);
        return 0;
    }
    if (t->client->n_pins == 0 || pinned(t->client, X509_STORE_CTX_get0_cert(chain), &t->fault))
        return 1;
    X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

/* --- clients --- */

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls *t = SSL_get_app_data(ssl);
    SSL_SESSION_free(t->client->session);
    t->client->session = session;
    return 1; /* it is ours now */
}

/* It asks for a certificate; it gets the one that is set, or none. */
static int was_asked(SSL *ssl, void *unused)
{
    struct tls *t = SSL_get_app_data(ssl);
    (void)unused;
    t->asked = true;
    return 1;
}

static bool trust(SSL_CTX *ctx, const char *ca, struct err *e)
{
    if (!ca)
        return SSL_CTX_set_default_verify_paths(ctx) == 1 ||
               err_set(e, ERR_SYSTEM, "the system's certificates cannot be used");
    if (!tls_file_readable("ca", ca, e))
        return false;
    if (SSL_CTX_load_verify_file(ctx, ca) != 1)
        return err_set(e, ERR_CONFIG,
                       "ca: %s has no certificate in it, or a broken one (it must be in PEM form)", ca);
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx),
                                X509_V_FLAG_PARTIAL_CHAIN); /* what stands there is trusted, a root or not */
    return true;
}

static void configure(SSL_CTX *ctx)
{
    tls_common(ctx);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, check, NULL);
    SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)ALPN_HTTP_1_1, sizeof ALPN_HTTP_1_1 - 1);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    SSL_CTX_set_cert_cb(ctx, was_asked, NULL);
}

static bool is_address(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

struct tls_client *tls_client_new(const struct tls_settings *settings, struct err *e)
{
    struct tls_client *c = mem_zero(sizeof *c);
    c->refs = 1;
    c->ctx = SSL_CTX_new(TLS_client_method());
    c->method = tls_bio_method();
    bool rooted = settings->host.n > 1 && span_ends(settings->host, SPAN("."));
    c->host = span_dup(span_head(settings->host, settings->host.n - rooted));
    c->is_address = is_address(c->host);
    c->n_pins = settings->n_pins;
    c->has_certificate = settings->certificate != NULL;
    if (c->n_pins) {
        c->pins = mem_alloc(c->n_pins * sizeof *c->pins);
        memcpy(c->pins, settings->pins, c->n_pins * sizeof *c->pins);
    }
    bool ok = c->ctx ? trust(c->ctx, settings->ca, e) : err_set(e, ERR_SYSTEM, "TLS cannot be used here");
    if (ok && c->has_certificate)
        ok = tls_show(c->ctx, settings->certificate, settings->key, e);
    ERR_clear_error();
    if (!ok) {
        tls_client_unref(c);
        return NULL;
    }
    configure(c->ctx);
    return c;
}

struct tls_client *tls_client_ref(struct tls_client *c)
{
    c->refs++;
    return c;
}

void tls_client_unref(struct tls_client *c)
{
    if (!c || --c->refs > 0)
        return;
    SSL_SESSION_free(c->session);
    SSL_CTX_free(c->ctx);
    BIO_meth_free(c->method);
    free(c->pins);
    free(c->host);
    free(c);
}
