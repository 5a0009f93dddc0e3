/*
 * What the kernel tells of links, addresses and routes (rtnetlink(7)), and which of it is news. A pure table, fed with bytes: no socket,
 * no clock; one thread.
 */
#ifndef EXEAT_NET_NETNEWS_H
#define EXEAT_NET_NETNEWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct netnews {
    struct netnews_fact *facts; /* sorted by key */
    size_t n, room;
    uint32_t port; /* our own netlink address: messages that it asked for are learned, and no news */
};

/* Bits of the answer. */
#define NETNEWS_CHANGED 1u
#define NETNEWS_LISTED  2u /* the end of a listing that we asked for */

void netnews_init(struct netnews *n, uint32_t port);
/* Forgets everything: what comes next has to be listed again. */
void netnews_clear(struct netnews *n);

/* One datagram. What is malformed counts as a change: something happened, and we cannot say what. */
unsigned netnews_take(struct netnews *n, struct span datagram);

#endif
