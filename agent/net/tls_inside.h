/*
 * What tls.c, tls_client.c, tls_server.c and tls_own.c share, and nobody else sees.
 */
#ifndef EXEAT_NET_TLS_INSIDE_H
#define EXEAT_NET_TLS_INSIDE_H

#include <openssl/ssl.h>

#include "net/certificate.h"
#include "net/tls.h"

#define ALPN_HTTP_1_1 "\x08http/1.1" /* RFC 7301 section 3.1: a length and a name */

struct tls_client {
    int refs;
    SSL_CTX *ctx;
    BIO_METHOD *method;
    SSL_SESSION *session; /* the newest; NULL: none yet */
    char *host;           /* without the dot at the end of a rooted name */
    bool is_address;
    struct config_pin *pins;
    size_t n_pins;
    bool has_certificate;
    bool unbindable_said; /* once is enough */
};

struct tls_server {
    int refs;
    SSL_CTX *ctx;
    BIO_METHOD *method;
};

struct tls {
    struct tls_client *client; /* NULL: the other side is the client, */
    struct tls_server *server; /* of this */
    SSL *ssl;
    struct span in;   /* lent for the length of a call */
    struct buf *out;  /* the same */
    struct err fault; /* what the check of the certificate found */
    bool asked;       /* it wants a certificate of ours */
    unsigned char binding[EVP_MAX_MD_SIZE];
    size_t n_binding;
};

/* The one kind of BIO that connections use; the BIO's data is a struct tls. */
BIO_METHOD *tls_bio_method(void);

/* --- tls_own.c --- */

/* Is it a regular file that we may read? `setting`: its name, for *e. */
bool tls_file_readable(const char *setting, const char *path, struct err *e);
/* The certificate, with its chain, and the key (NULL: it stands in the same file) that the other side is shown. */
bool tls_show(SSL_CTX *ctx, const char *certificate, const char *key, struct err *e);
void tls_common(SSL_CTX *ctx);

#endif
