/*
 * Idle connections that only one user's next request could use (hop_acting), over all pools: so many users come to a gateway that there must be a most of them, and
 * the one that has been idle for longest goes first. Loop thread only.
 */
#ifndef EXEAT_UPSTREAM_KEPT_H
#define EXEAT_UPSTREAM_KEPT_H

#include "upstream/upstream.h"

#define KEPT_MOST 1024

/* It has become idle. Connections of everybody are none of ours. */
void kept_add(struct upstream *u);
/* It is so no more; harmless where it was not. */
void kept_leave(struct upstream *u);
/* NULL, or the one that is too many: the caller closes it. */
struct upstream *kept_surplus(struct outbound *out);

#endif
