/*
 * A name and a port to a connected stream: look-up off the loop, then the addresses in turn, the next one started 250 ms after the last or as
 * soon as it fails (RFC 8305 in short), the first to connect wins; then, where it is wanted, the TLS handshake on that one. One deadline over all. Ends exactly once, never inside dial_start,
 * and not at all after dial_cancel.
 */
#ifndef EXEAT_NET_DIAL_H
#define EXEAT_NET_DIAL_H

#include "net/stream.h"

struct dial;

enum dial_failure {
    DIAL_DNS,
    DIAL_CONNECT,
    DIAL_REFUSED,
    DIAL_TIMEOUT,
    DIAL_DESCRIPTORS,
    DIAL_TLS,
    DIAL_KEPT_OUT
};

struct tls_client;

struct dial_events {
    void (*connected)(void *owner, struct stream *s); /* yours now */
    void (*failed)(void *owner, enum dial_failure kind, const struct err *why);
};

struct dial *dial_start(struct loop *loop, struct span host, uint16_t port, unsigned timeout_ms,
                        const struct dial_events *events, void *owner);
/* At once after dial_start: the stream is to be one over TLS. Takes a reference to the client. */
void dial_over_tls(struct dial *d, struct tls_client *client);
/* At once after dial_start: never to an address that leads to this machine's loopback; where there is no other it fails with DIAL_KEPT_OUT. */
void dial_outside(struct dial *d);
/* The same from the TLS handshake on, over a stream that leads to `host` already (a tunnel), which is taken over. Where that is one of TLS itself, this
   one stands inside it. */
struct dial *dial_inside(struct stream *s, struct span host, uint16_t port, struct tls_client *client,
                         unsigned timeout_ms, const struct dial_events *events, void *owner);
void dial_cancel(struct dial *d);

#endif
