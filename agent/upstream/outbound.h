/*
 * What everything on the way out shares: the loop, the keyholder, the counters that exeat status shows. One per agent; lives as long as it.
 */
#ifndef EXEAT_UPSTREAM_OUTBOUND_H
#define EXEAT_UPSTREAM_OUTBOUND_H

#include "helpers/keys_client.h"

struct counters {
    uint64_t requests;             /* begun, CONNECT included */
    uint64_t tunnels;              /* opened */
    uint64_t challenges;           /* 407s received */
    uint64_t handshakes;           /* requests that were let in after at least one header of ours */
    uint64_t refusals;             /* secrets refused */
    uint64_t alarms;               /* requests without an answer of ours, for a proxy offered too little */
    uint64_t connections;          /* opened to proxies and destinations */
    uint64_t bytes_up, bytes_down; /* content and tunnels, without heads */
};

struct probe;

/* Somebody may be looking at how we stand (agent/state.c): told that it has changed, as often as one likes. */
struct news {
    void (*told)(void *owner); /* NULL: nobody */
    void *owner;
};

/*
 * On whose behalf a connection is made, where it is not our own: the client of a gateway, by the context (wire/keys_msg.h, ACCEPT_OPEN) in which it was let in, and
 * the keyholder's life that this belongs to. Only what that client waits for has one, so that the context lasts as long. All zero: nobody's.
 */
struct behalf {
    uint32_t context, instance;
};

struct outbound {
    struct loop *loop;
    struct keys_client *keys;
    struct counters counters;
    struct probe *probes; /* upstream/detour.c: under way */
    struct news news;
    struct list
        kept; /* upstream/kept.c: idle connections of single users, the one that became so last first; next NULL: there was none yet */
    size_t n_kept;
    char pseudonym
        [24]; /* for Via: random per process, so that a loop through ourselves is seen and no two agents are mistaken */
};

static inline void news_tell(const struct outbound *out)
{
    if (out->news.told)
        out->news.told(out->news.owner);
}

#endif
