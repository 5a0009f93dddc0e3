/*
 * The decision where one request goes: the rules first, then the PAC script where the configuration has one, else the first upstream. A decision
 * without a script is there at once; a script takes its time. Loop thread only.
 */
#ifndef EXEAT_ROUTE_DECIDE_H
#define EXEAT_ROUTE_DECIDE_H

#include "route/pac.h"
#include "route/route.h"

/* Its hops and texts are valid for the length of the call. Without hops: blocked, by a rule, or with pac-failure = block because of `failure`. */
typedef void (*decided_fn)(void *owner, const struct route *route);

struct decision {               /* the caller's memory */
    struct route_table *routes; /* a reference, while the script is asked */
    struct pac_query query;
    struct buf *say; /* NULL: nobody wants to know why */
    decided_fn done;
    void *owner;
};

struct decision_about {
    struct span scheme; /* "http", "https" (also for a CONNECT) */
    struct span host;   /* without brackets */
    uint16_t port;
    struct span url; /* of a plain http request, in absolute form; may be empty */
    struct buf *say; /* gets the reasons for people, line by line; NULL: nobody wants to know */
};

/* true: *now is the answer, valid until the table is asked the next time. false: `done` is called later, once, unless the decision is cancelled;
   the spans, and `say`, live until then. `pac` NULL: there is no such thing in this process. */
bool decide_start(struct decision *d, struct pac *pac, struct route_table *routes,
                  const struct decision_about *about, struct route *now, decided_fn done, void *owner);
void decide_cancel(struct decision *d); /* at any time, also if it never began */

#endif
