/*
 * Spares: connections of one pool that are made ready ahead of need, so that a tunnel costs one round trip where NTLM would take two or three.
 *
 * How many: what cannot be used again is a connection that became a tunnel. While tunnels are being opened (SPARE_MS back), as many connections as were
 * opened in that time, at most hop->spares, are kept ready; without traffic there are none and no timers. Each is closed after SPARE_MS, or
 * sooner where the proxy's own idle limit is lower. They count towards the hop's limit, leave a quarter of it (one place at
 * least) to real requests, and a request that finds the pool full takes the place of one.
 *
 * What is ready: the connection, over TLS where the proxy is reached by it, and the keyholder's context; and, where the keyholder has a first token that
 * shows no secret (NTLM's Type 1: KEYS_AHEAD), the proxy's challenge to it, kept in upstream->challenge, so that the final token rides on the request.
 * No spare holds a password, a final token or an attempt of the guard while it waits; nothing is looked up or asked for its sake.
 *
 * The knock that fetches the challenge is a GET for KEYS_ASIDE_TARGET, whose name cannot exist (RFC 6761 section 6.4). A proxy that asks answers it with 407
 * before it forwards anything, and our first token does not let us in; a proxy that forwards it all the same finds no address, so no origin server is reached
 * whatever it does. An answer other than 407 shows such a proxy: the connection is closed and no spares are made for a while.
 *
 * A spare whose generation has passed (spares_flush), that ends, or that says anything, is closed; after one that could not be made there is a pause.
 * Loop thread only.
 */
#ifndef EXEAT_UPSTREAM_SPARE_H
#define EXEAT_UPSTREAM_SPARE_H

#include "base/list.h"
#include "net/loop.h"

#define SPARE_MS       8000
#define SPARES_MOST    16    /* the setting's limit */
#define SPARE_PAUSE_MS 30000 /* after one that could not be made */

struct pool;
struct upstream;

struct spares {
    struct list making;            /* struct spare */
    struct list ready;             /* upstreams, by `idle`, the oldest first */
    uint64_t tunnels[SPARES_MOST]; /* when the last ones were opened; 0: never */
    size_t next_tunnel;
    uint64_t not_before;
    bool failing;           /* the last one could not be made, and the log says so */
    struct deadline expiry; /* running while `ready` is not empty */
};

void spares_init(struct spares *s);
/* A connection has become a tunnel. */
void spares_tunnel(struct pool *p);
/* The one that has been ready for longest, or NULL; still in its list. */
struct upstream *spares_first(const struct pool *p);
/* One gives up its place. false: there is none. */
bool spares_yield(struct pool *p);
/* Closes all, also those in the making. */
void spares_flush(struct pool *p);
/* In the making and ready. */
size_t spares_count(const struct pool *p);

/* Pure: how many of `tunnels` (times, 0: never) were opened within SPARE_MS before `now`, at most `most`. */
size_t spares_demand(const uint64_t *tunnels, size_t n, uint64_t now, size_t most);
/* Pure: may one more be made beside so many connections, open or on their way, of `limit`? */
bool spares_fit(size_t connections, size_t limit);

#endif
