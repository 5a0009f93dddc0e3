/*
 * The answers that say no (decline.c). Main thread.
 */
#ifndef EXEAT_KEYS_DECLINE_H
#define EXEAT_KEYS_DECLINE_H

#include "keys/context.h"

/* KEYS_REFUSED or KEYS_SITE_REFUSED, by this guard (NULL: none had a say). */
void decline_refused(struct context *c, enum keys_verdict verdict, const struct guard *g);
/* Nothing can be started. To AUTHORIZE the answer may be to go without. */
void decline_unavailable(struct context *c);
/* Where the proxy offers less than it took before, answers that; else false. */
bool decline_downgraded(struct context *c);
/* Too many attempts were lost without a verdict. */
void decline_paused(struct context *c);
/* A 407 whose token completes the handshake: the proxy knows who we are, and this site is not for us (Squid says so where a deny rule ends in an
   authentication ACL). No verdict on the secret. */
void decline_site(struct context *c);

#endif
