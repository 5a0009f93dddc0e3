/*
 * One local program's connection: heads off its bytes, one exchange at a time, what it sends ahead kept until its turn (RFC 9112 section 9.3.2).
 */
#ifndef EXEAT_RELAY_CLIENT_H
#define EXEAT_RELAY_CLIENT_H

#include "relay/relay.h"
#include "upstream/upstream.h"

struct exchange;

struct client {
    struct relay *relay;
    struct list link;
    struct stream *stream; /* NULL once a tunnel has it */
    struct buf in;         /* bytes that nobody has taken yet */
    size_t scanned;
    struct exchange *exchange;
    struct upstream *
        pinned; /* this connection and no other carries our requests (connection-bound authentication of the client's own) */
    unsigned number, requests;
    bool eof;
    bool pin_wanted;
    struct later after; /* an exchange has ended: what comes next */
    enum client_next { CLIENT_KEEP, CLIENT_CLOSE, CLIENT_ABORT, CLIENT_GONE } next;
};

/* The exchange is over; never frees anything inside the call. CLIENT_GONE: the stream was given away. */
void client_exchange_over(struct client *c, enum client_next next);
/* The exchange may want input now that it refused before. */
void client_feed(struct client *c);
/* Keeps this idle connection for the client's next request alone. */
void client_pin(struct client *c, struct upstream *u);
/* The pinned connection if it leads to that hop; it is the caller's then. One that leads elsewhere is closed. NULL: none. */
struct upstream *client_unpin(struct client *c, const struct hop *hop);
void client_close(struct client *c);

#endif
