/*
 * What a client's Kerberos handshake leaves us so that we can act for it: the ticket that it handed on (GSS_C_DELEG_FLAG), or else its ticket for our own
 * service, which a KDC may take as evidence (MS-SFU section 3.2.5.2, S4U2Proxy). Immutable once made, shared by reference; any thread.
 */
#ifndef EXEAT_KEYS_HANDED_H
#define EXEAT_KEYS_HANDED_H

#include "base/buf.h"
#include "keys/ticket.h"

struct handed;

/* Takes over the ticket (its cache NULL: none was handed on) and the bytes of `evidence`. */
struct handed *handed_new(const char *principal, struct ticket *ticket, struct buf *evidence, int64_t until);
struct handed *handed_ref(struct handed *h); /* NULL: NULL */
void handed_unref(struct handed *h);

const char *handed_principal(const struct handed *h);
const struct ticket *handed_ticket(const struct handed *h); /* NULL: none was handed on, or it has ended */
/* The client's ticket for our service as Kerberos writes it (RFC 4120 section 5.3); empty: none, or it has ended. */
struct span handed_evidence(const struct handed *h);
int64_t handed_until(const struct handed *h); /* seconds since 1970; 0: no end is known */

#endif
