/*
 * The client's ticket for our service, out of the token that brought it: what a KDC may take as evidence that this client came to us (MS-SFU section
 * 3.2.5.2.1.2). Pure; any thread.
 */
#ifndef EXEAT_KEYS_ACCEPT_EVIDENCE_H
#define EXEAT_KEYS_ACCEPT_EVIDENCE_H

#include "base/span.h"

/* `token`: of Kerberos by itself or wrapped in SPNEGO, and well-formed as accept_check has it. The ticket (RFC 4120 section 5.3) with its own tag and
   length, pointing into it; empty: there is none in this token. */
struct span accept_evidence(struct span token);

#endif
