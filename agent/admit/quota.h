/*
 * Quotas: how many connections one address has open, and how many requests an address or a user makes. A bucket that fills with `rate` tokens a second and
 * holds two seconds' worth; rows that are at rest are given up at the next look. The rows are bounded by the connections that are open, and those of
 * the last two seconds. Loop thread only.
 */
#ifndef EXEAT_ADMIT_QUOTA_H
#define EXEAT_ADMIT_QUOTA_H

#include "base/list.h"
#include "base/span.h"

struct sockaddr;

struct quotas {
    struct list rows; /* struct quota */
    size_t n;
};

struct quota {
    struct list link;
    char *key;
    unsigned connections; /* references too */
    uint64_t tokens;      /* thousandths of a request */
    uint64_t last;        /* ms of the loop, and 1; 0: none was taken yet */
};

void quotas_init(struct quotas *q);
void quotas_done(struct quotas *q);

/* Of this user or address; a new row where there is none. `now`: ms of the loop. Valid until the next call, or until the last quota_leave. */
struct quota *quota_find(struct quotas *q, struct span key, uint64_t now);
/* One connection more and less. */
void quota_enter(struct quota *row);
void quota_leave(struct quota *row);
/* One request. false: too many. `rate`: per second; 0: any number. */
bool quota_take(struct quota *row, unsigned rate, uint64_t now);

#endif
