/*
 * One connection to one hop, and its states. Whoever leases it owns its stream's callbacks; while it is idle the pool listens: a connection
 * that says anything unasked, or ends, is closed. Loop thread only.
 *
 *   FRESH    connected, nobody let in yet
 *   SHAKING  a handshake is under way on it
 *   BUSY     leased: a request is out, or its answer is coming
 *   READY    idle in the pool
 *   CLOSED   memory about to go
 */
#ifndef EXEAT_UPSTREAM_UPSTREAM_H
#define EXEAT_UPSTREAM_UPSTREAM_H

#include "base/buf.h"
#include "base/secret.h"
#include "net/stream.h"
#include "route/hop.h"
#include "upstream/outbound.h"

enum upstream_state {
    UPSTREAM_FRESH,
    UPSTREAM_SHAKING,
    UPSTREAM_BUSY,
    UPSTREAM_READY,
    UPSTREAM_CLOSED,
    UPSTREAM_STATES
};

struct upstream {
    struct outbound *out;
    struct hop *hop;       /* a reference */
    struct stream *stream; /* NULL after upstream_to_tunnel */
    enum upstream_state state;
    struct list link;    /* in its pool: all connections of the hop */
    struct list idle;    /* in its pool: those READY */
    struct list kept;    /* in outbound: of these, single users' (kept.h) */
    uint32_t context;    /* the keyholder's; 0: none yet */
    uint32_t instance;   /* the keyholder's life that the context belongs to */
    bool let_in;         /* authenticated for good: requests need no header */
    bool stale;          /* the identity has changed since: not to be used again */
    uint64_t idle_since; /* loop_now when it became READY */
    bool spare;          /* made ready ahead of need (spare.h), and not leased yet */
    struct buf
        challenge; /* of a spare: what the proxy answered to the first token, values of Proxy-Authenticate, each followed by LF */
    void *promised_to;    /* pool.c: the lease that will be told of it in a moment */
    bool aside;           /* let in by an aside (KEYS_ASIDE), and no request has been answered since */
    bool credited;        /* credentials of ours have been taken on it */
    bool used;            /* has answered a request before: it may have been closed under us */
    struct secret header; /* reusable credentials (Basic), from the keyholder */
    char scheme[48];      /* what the keyholder calls those that were taken last; cut when longer */
    char tag[24];         /* "u7" in the log */
};

/* Takes the stream over. Made by the pool alone. */
struct upstream *upstream_new(struct outbound *out, struct hop *hop, struct stream *s);
/* The one door for state changes; an impossible one is a defect, said in the log, and closes the connection at its next return. */
void upstream_move(struct upstream *u, enum upstream_state to);
/* Tells the keyholder that the context is over, closes the stream, frees. */
void upstream_free(struct upstream *u);
/* Gives the stream away (to a tunnel) and frees the rest. */
struct stream *upstream_take_stream(struct upstream *u);
/* Is the keyholder's context still there? */
bool upstream_has_context(const struct upstream *u);
const char *upstream_state_name(enum upstream_state s);

#endif
