/*
 * Looks at NTLM and SPNEGO bytes from a proxy before any library sees them (MS-NLMP section 2.2.1.2, RFC 4178). gss-ntlmssp 1.2.0 writes through NULL on
 * a challenge whose target name is empty while the flags promise one. Pure.
 */
#ifndef EXEAT_KEYS_NTLM_CHECK_H
#define EXEAT_KEYS_NTLM_CHECK_H

#include "base/span.h"

/* A Type 2 message, raw. false: refuse it; *why is static text that reads on after "the proxy's NTLM challenge". */
bool ntlm_check_challenge(struct span message, const char **why);
/* A SPNEGO NegTokenResp (or a raw NTLMSSP or a bare Kerberos token under the name Negotiate): DER lengths are sound, and each NTLM message inside is checked as above. */
bool spnego_check_response(struct span token, const char **why);
/* The same, and what it says; all empty for the two other forms. The spans point into the token. */
struct spnego_answer {
    enum { SPNEGO_ACCEPTED, SPNEGO_INCOMPLETE, SPNEGO_REJECTED, SPNEGO_WANTS_MIC, SPNEGO_SILENT } state;
    bool ntlm;              /* it has chosen NTLM */
    struct span mechanism;  /* OID that it has chosen; empty: it does not say */
    struct span token, mic; /* of the mechanism */
};
bool spnego_read_response(struct span token, struct spnego_answer *out, const char **why);
/* Is it a raw NTLMSSP message? */
bool ntlm_is_message(struct span token);

#endif
