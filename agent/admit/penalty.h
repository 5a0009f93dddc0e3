/*
 * Who shows wrong tokens is answered more and more slowly: remembered by address, in a table that does not grow. A right token from the same address is
 * never delayed, so nobody can shut others out. Loop thread only; memory of the caller's.
 */
#ifndef EXEAT_ADMIT_PENALTY_H
#define EXEAT_ADMIT_PENALTY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define PENALTIES_MOST 64
#define PENALTY_MS     250  /* after the first wrong token, then twice as long each time */
#define PENALTY_MOST   8000 /* ms */
#define PENALTY_FORGET ((uint64_t)5 * 60 * 1000)

#define PENALTY_NETWORK 16
/* Whose it is: IPv4: mapped; IPv6: its /64. */
void penalty_network(const struct sockaddr *from, unsigned char network[PENALTY_NETWORK]);

struct penalty {
    unsigned char network
        [PENALTY_NETWORK]; /* IPv4: mapped (::ffff:a.b.c.d); IPv6: its /64, which is one client's to choose from */
    uint64_t last;         /* ms of the loop; 0: free */
    unsigned failures;
};

struct penalties {
    struct penalty rows[PENALTIES_MOST];
};

/* A wrong token has come from there at `now`: how many milliseconds its answer waits. */
uint64_t penalty_failed(struct penalties *p, const struct sockaddr *from, uint64_t now);

#endif
