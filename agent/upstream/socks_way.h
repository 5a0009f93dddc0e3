/*
 * The handshake with a SOCKS5 server (RFC 1928, 1929), on a connection of its pool: greeting, user and password where it wants them, CONNECT. The pair never
 * stands here: the keyholder makes the message that holds it (KEYS_SOCKS), once per attempt, and hears the verdict.
 *
 * What the server itself does wrong puts it to sleep and lets another be tried; what it says about a destination is final. All of it has the server's dial_ms,
 * without the keyholder's time. Ends once, never inside socks_way_start, and not after socks_way_cancel. The memory is the caller's. Loop thread only.
 */
#ifndef EXEAT_UPSTREAM_SOCKS_WAY_H
#define EXEAT_UPSTREAM_SOCKS_WAY_H

#include "upstream/pool.h"
#include "upstream/socks_reply.h"

struct socks_way_events {
    /* The way is open; `early`: what the other end has said already. socks_way_take gives the connection; else it is closed. */
    void (*open)(void *owner, struct span early);
    void (*failed)(void *owner, const struct unreached *why);
};

struct socks_way {
    struct outbound *out;
    struct hop *server; /* a reference; NULL: not under way */
    struct behalf behalf;
    const struct socks_way_events *events;
    void *owner;
    char *host; /* NULL: it ends when the server has let us in */
    uint16_t port;
    uint32_t trial;
    enum { SOCKS_WAY_LEASE, SOCKS_WAY_METHOD, SOCKS_WAY_KEYS, SOCKS_WAY_STATUS, SOCKS_WAY_REPLY } state;
    struct lease lease;
    struct upstream *upstream;
    struct buf in;
    struct keys_call call;
    struct deadline deadline;
    uint64_t left; /* of its time, while it does not run */
    bool heard;    /* a byte has come on this connection */
    bool credited; /* the pair has been shown */
    unsigned restarts;
};

/* `host` empty: only to see whether the server lets us in (exeat login). trial: as in struct ask_request. */
void socks_way_start(struct socks_way *w, struct outbound *out, struct hop *server, struct behalf behalf,
                     struct span host, uint16_t port, uint32_t trial, const struct socks_way_events *events,
                     void *owner);
/* Inside `open`. Its stream does not read. */
struct upstream *socks_way_take(struct socks_way *w);
void socks_way_cancel(struct socks_way *w);

#endif
