/*
 * The schemes behind one interface. A token scheme turns the bytes of a challenge into the bytes of a token and says what kind of token that is;
 * it knows no headers, no base64, no retries and no connections, and may block (worker threads). Digest and Basic make a whole
 * header for each request instead (digest.h, basic.h) and have no step.
 */
#ifndef EXEAT_KEYS_SCHEME_H
#define EXEAT_KEYS_SCHEME_H

#include "config/config.h"
#include "keys/gss.h"

enum scheme_outcome {
    SCHEME_MORE,     /* a token that shows no secret yet: an answer with a token must follow */
    SCHEME_PASSWORD, /* a token made from a password: the directory counts it */
    SCHEME_TICKET,   /* a Kerberos token */
    SCHEME_REJECTED, /* the proxy's token says no */
    SCHEME_OVER, /* the proxy's token completes the handshake: it has accepted us, and refuses this request all the same */
    SCHEME_RAW,    /* the proxy speaks raw NTLM under the name Negotiate: begin again that way */
    SCHEME_BROKEN, /* the proxy's token is malformed; no library has seen it */
    SCHEME_FAILED, /* GSSAPI cannot go on */
};

struct scheme {
    const char *name; /* in challenges and credentials */
    bool binds;       /* lets in the connection, not the request */
    /* `in` empty: the first token. *e for SCHEME_REJECTED and the last three outcomes, a sentence without full stop. NULL: makes headers. */
    enum scheme_outcome (*step)(struct gss_handshake *h, struct span in, struct secret *out, struct err *e);
};

extern const struct scheme schemes[AUTH_SCHEMES]; /* by enum auth_scheme */

enum scheme_outcome negotiate_step(struct gss_handshake *h, struct span in, struct secret *out,
                                   struct err *e);

/* What the token in a final answer (no 407: RFC 4559 section 5) is worth. */
enum proof {
    PROOF_NONE,  /* it says nothing about who the proxy is */
    PROOF_RIGHT, /* the proxy holds the service's key */
    PROOF_WRONG, /* *e, a sentence without full stop */
};
enum proof negotiate_verify(struct gss_handshake *h, struct span in, struct err *e);

enum scheme_outcome ntlm_step(struct gss_handshake *h, struct span in, struct secret *out, struct err *e);

#endif
