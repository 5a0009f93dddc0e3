/*
 * Two forms of NTLM messages that MS-NLMP allows, curl and others send and gss-ntlmssp (1.2.0) cannot read: made into ones that it can. Pure; any thread.
 */
#ifndef EXEAT_KEYS_ACCEPT_MEND_H
#define EXEAT_KEYS_ACCEPT_MEND_H

#include "base/buf.h"
#include "keys/accept_check.h"

/* `bytes` has passed accept_check, which filled in *token; token->ntlm points into them afterwards, too. Messages inside SPNEGO stay as they are. true: it is a first message, and
   longer now. */
bool accept_mend(struct buf *bytes, struct accept_token *token);

#endif
