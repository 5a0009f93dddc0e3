/*
 * Which of a route's proxies a request tries, and in which order, by what is known of them: those that sleep come last. Where the configuration says
 * when-unreachable = direct and none of them can be reached, the request goes without a proxy; one probe at a time then looks, at a request and
 * never by a timer, whether a proxy answers again. The change of mode is told in the log, both ways. Loop thread only.
 */
#ifndef EXEAT_UPSTREAM_DETOUR_H
#define EXEAT_UPSTREAM_DETOUR_H

#include "route/route.h"
#include "upstream/outbound.h"

/* The hops to try, in order, into `hops`, which has room for route->n + 1. References are the caller's to take. Returns how many, at least one unless route->n is 0. */
size_t detour_order(struct outbound *out, struct route_table *routes, const struct route *route,
                    struct span host, uint16_t port, struct hop **hops);
/* Ends the probes under way: the agent stops. */
void detour_stop(struct outbound *out);

#endif
