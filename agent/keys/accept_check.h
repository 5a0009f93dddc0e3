/*
 * Looks at NTLM and SPNEGO bytes from a client before any library sees them (MS-NLMP sections 2.2.1.1 and 2.2.1.3, RFC 4178 section 4.2), and says what
 * they are. Pure; any thread.
 */
#ifndef EXEAT_KEYS_ACCEPT_CHECK_H
#define EXEAT_KEYS_ACCEPT_CHECK_H

#include "base/span.h"

struct accept_token {
    enum accept_token_form {
        TOKEN_NTLM,     /* a raw NTLM message */
        TOKEN_KERBEROS, /* a bare Kerberos token */
        TOKEN_INIT,     /* the first token of SPNEGO */
        TOKEN_RESPONSE, /* a later one */
    } form;
    struct span ntlm; /* the NTLM message inside; empty: there is none */
    bool kerberos;    /* TOKEN_KERBEROS, or Kerberos is among what SPNEGO offers */
    bool last;        /* it is the one that answers a challenge (AUTHENTICATE_MESSAGE) */
    bool oem;         /* NTLM: names come in a code page, of which ASCII is taken, and not as UTF-16 */
};

/* oem: what token->oem was at the handshake's first message. false: refuse it; *why is static text that reads on after "The token". Spans point into
   `bytes`. */
bool accept_check(struct span bytes, bool oem, struct accept_token *token, const char **why);

/* What an AUTHENTICATE_MESSAGE that has passed claims. */
struct accept_claim {
    struct span domain, user; /* UTF-16; with token->oem ASCII */
    bool anonymous;           /* a null session: it proves nothing */
    bool old;                 /* NTLM version 1 */
};
void accept_claim_read(struct span message, struct accept_claim *claim);

#endif
