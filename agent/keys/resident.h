/*
 * The users of our own gateways, where those say identity = per-user: guests (guest.h), one for each account at an upstream. Where their credential comes from,
 * in this order: a ticket that the user's program handed on; the upstream's keytab, whose service acts for them; a secret of their own from the
 * upstream's provider. The configured identity's secret and tickets are never theirs, nor one's another's. Main thread.
 */
#ifndef EXEAT_KEYS_RESIDENT_H
#define EXEAT_KEYS_RESIDENT_H

#include "keys/guest.h"
#include "keys/inbound.h"

#define RESIDENTS_MAX 1024

/* The identity of who is in, at the upstream of `host`, the configured one. NULL: *no. */
struct identity *resident_find(struct identity *host, const struct inbound *in, struct guest_no *no);
/* The same by name, for a login. */
struct identity *resident_named(struct identity *host, struct span user, struct guest_no *no);
/* What the keyring had for this account (in full, as it has it) is gone, or another: nobody goes on with it. `but`: who has the new one; or NULL. */
void residents_forget(struct identity *host, const char *qualified, const struct identity *but);
/* What somebody types as the name of a gateway's user, as that gateway would say it; "" where it is no name. The caller frees. Where gateways would
   say different things, these are the choices; otherwise those stay empty. */
char *residents_account(const struct config *c, struct span typed, struct buf *choices);
/* What its program handed us last; NULL: nothing. Lent. */
struct handed *resident_handed(const struct identity *who);
/* The configured identity of its upstream, whose keytab may act for it. NULL: it is gone from the configuration. */
struct identity *resident_host(const struct identity *who);
/* Does the configuration act for users at all? */
bool residents_are_welcome(const struct config *c);

#endif
