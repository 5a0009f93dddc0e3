/*
 * What tls.c and tls_client.c share, and nobody else sees.
 */
#ifndef EXEAT_NET_TLS_INSIDE_H
#define EXEAT_NET_TLS_INSIDE_H

#include <openssl/ssl.h>

#include "net/certificate.h"
#include "net/tls.h"

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

struct tls {
    struct tls_client *client;
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

#endif
