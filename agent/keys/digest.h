/*
 * Digest access authentication, client side (RFC 7616; RFC 2069 form where no qop is offered): one session per (upstream, account). Knows no
 * connections and no retries. Not locked: its owner (the identity) serialises calls.
 */
#ifndef EXEAT_KEYS_DIGEST_H
#define EXEAT_KEYS_DIGEST_H

#include "base/secret.h"
#include "keys/challenge.h"

struct digest; /* realm, nonce, opaque, algorithm, qop, nonce count, the session key of the -sess forms */

struct digest *digest_new(void);
void digest_free(struct digest *d); /* wipes what came from the password */

/* Is this a Digest challenge that we can answer (algorithm and qop known, realm and nonce there)? Preference among several: the caller takes the
   first answerable one (RFC 7616 section 3.7). */
bool digest_answerable(const struct challenge *c);

/* Takes a challenge: new nonce, count from 1. stale=true in any letter case is told in *stale. false: malformed, *why is static text; the session is as before. */
bool digest_take_challenge(struct digest *d, const struct challenge *c, bool *stale, const char **why);

/* Is there a nonce to speak first with (RFC 7616 section 3.6)? */
bool digest_has_nonce(const struct digest *d);

struct digest_request {
    struct span user; /* UTF-8 */
    struct span
        password; /* revealed for this call only; nothing of it is kept but H(A1) where -sess needs it */
    struct span method;
    struct span uri;  /* request target as it goes out; host:port for CONNECT */
    struct span body; /* for qop=auth-int */
    bool body_known;  /* `body` is the whole content (also when empty) */
};
enum digest_outcome { DIGEST_HEADER, DIGEST_NEED_BODY, DIGEST_NO_NONCE, DIGEST_BAD_USER };
/* Appends "Digest ..." to *header. NEED_BODY: only auth-int is offered and body_known is false. */
enum digest_outcome digest_authorize(struct digest *d, const struct digest_request *request,
                                     struct secret *header);

/* Proxy-Authentication-Info (RFC 7616 section 3.5): takes nextnonce; a wrong rspauth drops the nonce. false: rspauth was wrong. */
bool digest_take_info(struct digest *d, struct span info_line);

/* For tests: a fixed client nonce instead of a random one. NULL: random again. */
void digest_fix_cnonce(struct digest *d, const char *cnonce);

#endif
