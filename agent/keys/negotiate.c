/*
 * Negotiate (RFC 4559, RFC 4178, MS-N2HT): SPNEGO with Kerberos, NTLM or both inside. What our own token holds is found by looking for
 * the signature of NTLM messages in it: SPNEGO itself does not say which mechanism it has chosen until the end. Worker threads.
 */
#include "keys/ntlm_check.h"
#include "keys/scheme.h"

/* The message type of the first NTLM message inside (MS-NLMP section 2.2.1); 0: none. */
static unsigned ntlm_type_inside(struct span token)
{
    static const char signature[8] = {'N', 'T', 'L', 'M', 'S', 'S', 'P', '\0'};
    for (size_t i = 0; i + sizeof signature + 4 <= token.n; i++)
        if (memcmp(token.p + i, signature, sizeof signature) == 0)
            return (unsigned char)token.p[i + sizeof signature];
    return 0;
}

/* Skips a DER tag and its length. false: another tag. Lengths were checked before. */
static bool enter(struct span *s, unsigned char tag)
{
    if (s->n < 2 || (unsigned char)s->p[0] != tag)
        return false;
    unsigned char length = (unsigned char)s->p[1];
    *s = span_from(*s, length & 0x80 ? 2u + (length & 0x7fu) : 2u);
    return true;
}

/* NegTokenResp with negState reject (RFC 4178 section 4.2.2). */
static bool is_reject(struct span token)
{
    struct span s = token;
    return enter(&s, 0xa1) && enter(&s, 0x30) && span_starts(s, SPAN("\xa0\x03\x0a\x01\x02"));
}

enum scheme_outcome negotiate_step(struct gss_handshake *h, struct span in, struct secret *out, struct err *e)
{
    const char *why;
    if (in.n && !spnego_check_response(in, &why)) {
        err_set(e, ERR_PROTOCOL, "the proxy's Negotiate token %s", why);
        return SCHEME_BROKEN;
    }
    if (ntlm_is_message(in)) {
        err_set(e, ERR_PROTOCOL, "the proxy answers Negotiate with raw NTLM");
        return SCHEME_RAW;
    }
    if (is_reject(in)) {
        err_set(e, ERR_REFUSED, "the proxy rejected the Negotiate token");
        return SCHEME_REJECTED;
    }
    if (gss_handshake_step(h, in, out, e) == GSS_FAILED)
        return SCHEME_FAILED;
    if (!secret_present(out))
        return SCHEME_OVER;
    switch (ntlm_type_inside(secret_reveal(out))) {
    case 0:
        return SCHEME_TICKET;
    case 3:
        return SCHEME_PASSWORD;
    default:
        return SCHEME_MORE;
    }
}
