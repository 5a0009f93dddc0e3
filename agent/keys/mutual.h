/*
 * Mutual authentication: has the proxy proved itself? With Kerberos it can, by a last token in its answer (RFC 4559 section 5), which only the holder
 * of the service's key can make. Main thread; the token itself is looked at by a worker.
 */
#ifndef EXEAT_KEYS_MUTUAL_H
#define EXEAT_KEYS_MUTUAL_H

#include "keys/context.h"

/* The configuration wants nothing sent to a proxy that has not proved itself: Kerberos or nothing, and never a request without a token. */
bool mutual_required(const struct context *c);
/* For the header with a ticket's token that is about to leave: KEYS_FINAL, and KEYS_KNOCK where a body must wait for the proof. */
uint32_t mutual_flags(const struct context *c);

/* ACCEPTED came for a request that left with KEYS_FINAL. Ends the question, now or later: converse_trusted, or MUTUAL_FAILED. `lines`, `info`: as in the
   message. */
void mutual_check(struct context *c, struct span lines, struct span info);
/* In verdict.c: the header was accepted, by the right proxy as far as we want to know. Ends the question. */
void converse_trusted(struct context *c);

#endif
