/*
 * One local program's connection: requests off its bytes, as its way in has them, one exchange at a time, what it sends ahead kept until its turn (RFC 9112
 * section 9.3.2).
 */
#ifndef EXEAT_RELAY_CLIENT_H
#define EXEAT_RELAY_CLIENT_H

#include "relay/credentials.h"
#include "relay/relay.h"
#include "relay/socks_read.h"
#include "upstream/upstream.h"

struct exchange;

struct client {
    struct relay *relay;
    const struct entrance *entrance;
    struct fixed *fixed;       /* entrance_fixed: a reference */
    struct guest guest;        /* from beyond this machine */
    struct gated gated;        /* entrance_gateway */
    struct socks_reader socks; /* entrance_socks */
    struct brought brought;    /* in its handshake */
    struct list link;
    struct stream *stream; /* NULL once a tunnel has it */
    struct buf in;         /* bytes that nobody has taken yet */
    size_t scanned;
    struct exchange *exchange;
    struct upstream *
        pinned; /* this connection and no other carries our requests (connection-bound authentication of the client's own) */
    char *pinned_for; /* the gateway's user who did that; NULL: it is no gateway's */
    unsigned number, requests;
    char tag[16]; /* "c12" in the log */
    bool eof;
    bool pin_wanted;
    bool retiring; /* its door is closed */
    unsigned door;
    struct peer_id who;
    struct caller *caller; /* a reference, or NULL */
    struct later after;    /* an exchange has ended: what comes next */
    enum client_next { CLIENT_KEEP, CLIENT_CLOSE, CLIENT_ABORT, CLIENT_GONE } next;
};

/* The exchange is over; never frees anything inside the call. CLIENT_GONE: the stream was given away. */
void client_exchange_over(struct client *c, enum client_next next);
/* The exchange may want input now that it refused before. */
void client_feed(struct client *c);
/* For ways: a request begins, with the head taken over; or it is refused. */
void client_begin(struct client *c, struct head *head);
void client_refuse(struct client *c, const struct fault *fault);
/* The first bytes of c->in have been taken: they may hold a password, and leave nothing behind. */
void client_drop(struct client *c, size_t n);
/* For ways, with no exchange: waits for more bytes; or all that was written is delivered, and that is the end. */
void client_wait(struct client *c);
void client_end(struct client *c);
/* The answer under way, or the next one, is its last. */
bool client_is_leaving(const struct client *c);
/* Keeps this idle connection for the client's next request alone, and of a gateway's for the same user (gate_user). */
void client_pin(struct client *c, struct upstream *u, const char *user);
/* Does it come from beyond this machine, by a token or by a gateway? */
bool client_is_beyond(const struct client *c);
/* The pinned connection if it leads to that hop and is this user's; it is the caller's then. Another one is closed. NULL: none. */
struct upstream *client_unpin(struct client *c, const struct hop *hop, const char *user);
/* There is one; it is closed. */
void client_drop_pinned(struct client *c);
void client_close(struct client *c);
/* The same at the agent's end; an answer under way is broken off so that it does not look whole. */
void client_cut(struct client *c);
/* Its door is closed: it ends after what is under way. */
void client_retire(struct client *c);

#endif
