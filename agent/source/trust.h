/*
 * Whom this machine trusts to vouch for an https: server, read in the pool, for there are many files of it. Ends once, never inside trust_start, and
 * not after trust_cancel.
 */
#ifndef EXEAT_SOURCE_TRUST_H
#define EXEAT_SOURCE_TRUST_H

#include "net/loop.h"
#include "net/tls.h"

struct trust;

/* A client for connections to that host, whose reference is the callee's; or NULL, and why. */
typedef void (*trusted_fn)(void *owner, struct tls_client *client, const struct err *why);

struct trust *trust_start(struct loop *loop, struct span host, trusted_fn done, void *owner);
void trust_cancel(struct trust *t); /* NULL is allowed */

#endif
