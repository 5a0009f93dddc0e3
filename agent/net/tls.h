/*
 * TLS, without sockets: records in, records out. net/secure.c puts it between a connection and its stream. At least TLS 1.2, ALPN http/1.1, no renegotiation.
 * Towards a proxy the chain and the host's name are always checked, against the system's authorities or those given, and then the pins; clients of
 * our own are not asked for certificates.
 * Not thread-safe: everything of one client or server belongs to one thread. Nothing blocks, but for the files that tls_client_new and tls_server_new read.
 */
#ifndef EXEAT_NET_TLS_H
#define EXEAT_NET_TLS_H

#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"

/* --- who we are and whom we trust, for all connections to one proxy --- */

struct tls_settings {
    struct span
        host;       /* name or literal: must stand in the certificate; sent as SNI unless it is an address */
    const char *ca; /* PEM file of trusted certificates, in place of the system's; NULL: the system's */
    const struct config_pin *pins; /* it must have one of these keys, besides a good chain */
    size_t n_pins;                 /* 0: any key */
    const char *certificate,
        *key; /* PEM files, shown to a proxy that asks; NULL: none; key NULL: it stands in the first */
};

struct tls_client; /* reference-counted: connections keep it */

/* NULL: a file cannot be read or is not what it should be; *e says so (ERR_CONFIG). The pins are copied. */
struct tls_client *tls_client_new(const struct tls_settings *settings, struct err *e);
struct tls_client *tls_client_ref(struct tls_client *c);
void tls_client_unref(struct tls_client *c);

/* --- our own certificate, for all connections to one listening address --- */

struct tls_server; /* reference-counted: connections keep it */

/* PEM files; key NULL: it stands in the first. NULL: one cannot be read or is not what it should be; *e says so (ERR_CONFIG). */
struct tls_server *tls_server_new(const char *certificate, const char *key, struct err *e);
/* NULL is allowed, and given back. */
struct tls_server *tls_server_ref(struct tls_server *s);
void tls_server_unref(struct tls_server *s);

/* --- one connection --- */

struct tls;

enum tls_state {
    TLS_OPEN,   /* all is well; more may come */
    TLS_ENDED,  /* the other side said that it will send no more (close_notify); writing still works */
    TLS_BROKEN, /* no more of anything; *e says why, in words that follow "the proxy: " or "the client: " */
};

struct tls *tls_new(struct tls_client *c);
struct tls *tls_new_accepted(struct tls_server *s);
void tls_free(struct tls *t);

/* One step of the handshake: the client begins with no bytes. *in: records that came; what is left of it at the end belongs to tls_read. `out` gets records to
   send, also after a failure (an alert). *done: the other side is who it should be. */
enum tls_state tls_handshake(struct tls *t, struct span *in, struct buf *out, bool *done, struct err *e);

/* Records in, content out, `size` bytes at most, which must be at least as much as `in` and one record of 16 KiB. `out` may get records
   that answer. Whatever the state, *n bytes are good. */
enum tls_state tls_read(struct tls *t, struct span in, struct buf *out, char *content, size_t size, size_t *n,
                        struct err *e);

/* Content in, records out. false: the connection is broken, or `out` would pass its ceiling. */
bool tls_write(struct tls *t, struct span content, struct buf *out);

/* We send no more: close_notify, once. Reading goes on. */
void tls_end(struct tls *t, struct buf *out);

/* tls-server-end-point (RFC 5929 section 4) of the server's certificate, whichever side that is; as long as `t`; empty when it is not defined for it. */
struct span tls_binding(const struct tls *t);

/* "TLSv1.3, TLS_AES_256_GCM_SHA384, resumed", into `text`. */
void tls_describe(const struct tls *t, char *text, size_t size);

#endif
