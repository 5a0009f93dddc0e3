/*
 * How long a connection to one proxy may lie idle before we close it: a little less than the proxy's own limit, which is learned when it closes one first.
 * One close can have another reason (the proxy was restarted), so what was learned holds for a while only, and longer each
 * time it proves true again: 10 minutes, 20, ... a day. Pure: times are milliseconds of any steady clock, passed in.
 */
#ifndef EXEAT_UPSTREAM_IDLE_H
#define EXEAT_UPSTREAM_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#define IDLE_MOST_MS                                                                                         \
    50000 /* below the two minutes after which proxies usually close an idle connection, and the minute of some */
#define IDLE_LEAST_MS 1000

struct idle_limit { /* zeroed: nothing is known */
    uint64_t ms;    /* learned, and */
    uint64_t until; /* in force until then, */
    uint64_t hold;  /* which was so long after */
    uint64_t seen;  /* the last close */
};

uint64_t idle_limit_ms(const struct idle_limit *l, uint64_t now);
/* The proxy has closed a connection that was idle for so long. Several closed at once end with the oldest: what they have in common is no limit but the moment.
   true: the limit has changed. */
bool idle_limit_closed(struct idle_limit *l, uint64_t idle_ms, uint64_t now);

#endif
