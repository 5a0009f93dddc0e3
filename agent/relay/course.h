/*
 * An exchange's way: from its target to the hops that it tries (route/decide.h), and what is told to its client where there is none. Loop thread only.
 */
#ifndef EXEAT_RELAY_COURSE_H
#define EXEAT_RELAY_COURSE_H

#include "relay/exchange.h"

/* Goes on by exchange_again, or answers; now, or when the PAC script has spoken. */
void course_start(struct exchange *e);
/* What this client's requests to a hop go to in the end: lent by the routes. A service on this machine's loopback takes whoever comes for one of us, and
   nobody from another machine has to come to it by us. `hop` stays meanwhile. */
struct hop *course_last_hop(const struct exchange *e, struct hop *hop);
/* Has a proxy asked who we are that only a PAC script names? It is told nothing, and the client why. true: the exchange has been answered. */
bool course_asks_in_vain(struct exchange *e);

#endif
