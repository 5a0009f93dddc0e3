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

/* Well-formed, and neither raw NTLM nor a plain no. */
static enum scheme_outcome look_at(struct span in, struct spnego_answer *says, struct err *e)
{
    const char *why;
    if (!spnego_read_response(in, says, &why)) {
        err_set(e, ERR_PROTOCOL, "the proxy's Negotiate token %s", why);
        return SCHEME_BROKEN;
    }
    if (ntlm_is_message(in)) {
        err_set(e, ERR_PROTOCOL, "the proxy answers Negotiate with raw NTLM");
        return SCHEME_RAW;
    }
    if (says->state == SPNEGO_REJECTED) {
        err_set(e, ERR_REFUSED, "the proxy rejected the Negotiate token");
        return SCHEME_REJECTED;
    }
    return SCHEME_MORE;
}

/* "Accepted", without the proof that was asked for. The library would call that malformed. */
static bool accepts_without_proof(const struct gss_handshake *h, const struct spnego_answer *says)
{
    return gss_handshake_is_mutual(h) && says->state == SPNEGO_ACCEPTED && !says->token.n && !says->mic.n;
}

enum scheme_outcome negotiate_step(struct gss_handshake *h, struct span in, struct secret *out, struct err *e)
{
    if (in.n) {
        struct spnego_answer says;
        enum scheme_outcome o = look_at(in, &says, e);
        if (o != SCHEME_MORE)
            return o;
        if (accepts_without_proof(h, &says))
            return SCHEME_OVER;
        if (says.ntlm)
            gss_handshake_chose_ntlm(h);
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

enum proof negotiate_verify(struct gss_handshake *h, struct span in, struct err *e)
{
    struct spnego_answer says;
    struct secret out = {0};
    if (look_at(in, &says, e) != SCHEME_MORE)
        return PROOF_WRONG;
    if (accepts_without_proof(h, &says))
        return PROOF_NONE;
    if (says.ntlm) { /* and no answer to an NTLM challenge that nobody has asked for */
        err_set(e, ERR_PROTOCOL, "the proxy's last token belongs to NTLM, which cannot prove anything");
        return PROOF_WRONG;
    }
    enum gss_outcome o = gss_handshake_step(h, in, &out, e);
    secret_free(&out); /* a token that there is no way to send any more */
    if (o == GSS_FAILED)
        return PROOF_WRONG;
    if (gss_handshake_proved(h))
        return PROOF_RIGHT;
    err_set(e, ERR_PROTOCOL, "the proxy's last token leaves the handshake open");
    return PROOF_WRONG;
}
