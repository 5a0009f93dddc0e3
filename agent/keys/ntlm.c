/*
 * NTLM over HTTP (MS-NTHT): raw NTLMSSP messages. Type 1 shows nothing, Type 3 proves the password. Worker threads.
 */
#include "keys/ntlm_check.h"
#include "keys/scheme.h"

enum scheme_outcome ntlm_step(struct gss_handshake *h, struct span in, struct secret *out, struct err *e)
{
    const char *why;
    if (in.n && !ntlm_check_challenge(in, &why)) {
        err_set(e, ERR_PROTOCOL, "the proxy's NTLM challenge %s", why);
        return SCHEME_BROKEN;
    }
    if (gss_handshake_step(h, in, out, e) == GSS_FAILED)
        return SCHEME_FAILED;
    if (!secret_present(out)) {
        err_set(e, ERR_PROTOCOL, "the NTLM handshake is over, and the proxy still asks");
        return SCHEME_FAILED;
    }
    return in.n ? SCHEME_PASSWORD : SCHEME_MORE;
}
