/*
 * Penalties (penalty.h). A full table gives up the row that was quiet for longest.
 */
#include "admit/penalty.h"

#include <netinet/in.h>
#include <string.h>

void penalty_network(const struct sockaddr *from, unsigned char network[PENALTY_NETWORK])
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    memset(network, 0, 16);
    if (from->sa_family == AF_INET) {
        memcpy(network, mapped, sizeof mapped);
        memcpy(network + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
    } else if (from->sa_family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)from)->sin6_addr;
        memcpy(network, v6->s6_addr, IN6_IS_ADDR_V4MAPPED(v6) ? 16 : 8);
    }
}

static struct penalty *row_for(struct penalties *p, const unsigned char network[PENALTY_NETWORK])
{
    struct penalty *oldest = &p->rows[0];
    for (size_t i = 0; i < PENALTIES_MOST; i++) {
        struct penalty *row = &p->rows[i];
        if (row->last && memcmp(row->network, network, 16) == 0)
            return row;
        if (row->last < oldest->last)
            oldest = row;
    }
    *oldest = (struct penalty){0};
    memcpy(oldest->network, network, 16);
    return oldest;
}

uint64_t penalty_failed(struct penalties *p, const struct sockaddr *from, uint64_t now)
{
    unsigned char network[PENALTY_NETWORK];
    penalty_network(from, network);
    struct penalty *row = row_for(p, network);
    if (now - row->last > PENALTY_FORGET)
        row->failures = 0;
    row->last = now ? now : 1;
    uint64_t wait = PENALTY_MS;
    for (unsigned i = 0; i < row->failures && wait < PENALTY_MOST; i++)
        wait *= 2;
    row->failures++;
    return wait < PENALTY_MOST ? wait : PENALTY_MOST;
}
