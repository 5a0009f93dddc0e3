/*
 * GSSAPI, client side: credentials and handshakes. Knows no headers and no base64. A credential may be used by several threads at once; a
 * handshake by one at a time. Calls may block on a KDC, unless the service ticket is in the cache already (ticket.h).
 */
#ifndef EXEAT_KEYS_GSS_H
#define EXEAT_KEYS_GSS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/secret.h"

enum gss_mech { GSS_MECH_SPNEGO, GSS_MECH_NTLM };

struct gss_cred;      /* immutable once made */
struct gss_handshake; /* one security context */

struct gss_cred_request {
    enum gss_mech mech;
    const char *name;             /* CORP\alice, alice@CORP.EXAMPLE, alice */
    const char *cache;            /* Kerberos, from this ticket cache; NULL: no Kerberos (SPNEGO only) */
    const struct secret *nt_hash; /* NTLM, with this hash in hex digits; NULL or absent: no NTLM */
};

/* NULL: *e says why. */
struct gss_cred *gss_cred_new(const struct gss_cred_request *request, struct err *e);
void gss_cred_free(struct gss_cred *c);

enum gss_outcome {
    GSS_MORE,   /* a token to send, and an answer to it is needed (or allowed: SPNEGO cannot tell before) */
    GSS_LAST,   /* a token to send, and nothing more to come */
    GSS_FAILED, /* *e says why */
};

struct gss_handshake_request {
    struct gss_cred *cred; /* lent for as long as the handshake lives */
    enum gss_mech mech;
    const char *host;        /* of the proxy */
    const char *spn;         /* HTTP/host, with or without @REALM; NULL: HTTP/ and the host */
    const char *principal;   /* what the Kerberos ticket in the cache is for; NULL: no Kerberos here */
    const char *workstation; /* what NTLM calls this computer; NULL: its host name */
    struct span binding;     /* the tls-server-end-point hash (RFC 5929 section 4), or empty */
    bool mutual;             /* the other side shall prove itself (Kerberos only: see gss.c) */
    bool delegate;           /* it gets our ticket, to act with (Kerberos only) */
};

struct gss_handshake *gss_handshake_new(const struct gss_handshake_request *request, struct err *e);
enum gss_outcome gss_handshake_step(struct gss_handshake *h, struct span in, struct secret *out,
                                    struct err *e);
/* Is an answer wanted that proves who the other side is? */
bool gss_handshake_is_mutual(const struct gss_handshake *h);
/* The other side has: no proof is to be had and no ticket handed on from here, and it goes by its other name. */
void gss_handshake_chose_ntlm(struct gss_handshake *h);
/* It was given, and it was right. */
bool gss_handshake_proved(const struct gss_handshake *h);
void gss_handshake_free(struct gss_handshake *h);

#endif
