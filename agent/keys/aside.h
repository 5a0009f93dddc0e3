/*
 * Asides: a final token that goes out on a knock for a name that cannot exist (wire/keys_msg.h: KEYS_ASIDE) instead of on the request, so that no origin
 * server holds back the verdict on it. For a proven secret whose other places are all taken (guard.h: GUARD_LAST). What each proxy
 * makes of them is remembered in struct hop for a while; where they do not work, the request waits for a place of its own. Main thread.
 */
#ifndef EXEAT_KEYS_ASIDE_H
#define EXEAT_KEYS_ASIDE_H

#include "keys/context.h"

/* The guard has said GUARD_LAST for a request to `site`. GUARD_GO: c->attempt has begun, on an aside. GUARD_WAIT, or what else the guard says. */
enum guard_say aside_begin(struct context *c, struct guard *g, struct span site);
/* It was accepted; `closed`: and then the proxy closed the connection that it let in. */
void aside_accepted(struct context *c, bool closed);
/* The request that followed was asked for credentials all the same. */
void aside_in_vain(struct context *c, struct span site);
/* The connection ended without a verdict. */
void aside_lost(struct context *c);

#endif
