/*
 * Base64 as HTTP authentication uses it (RFC 4648 section 4), strict: alphabet, length and padding are checked before
 * OpenSSL decodes, which by itself lets blanks, newlines and inner padding pass.
 */
#ifndef EXEAT_BASE_BASE64_H
#define EXEAT_BASE_BASE64_H

#include "base/buf.h"
#include "base/secret.h"

/* false: not strict base64, or `out` would pass its ceiling; `out` is unchanged then. The empty span decodes to nothing. */
bool base64_decode(struct buf *out, struct span text);
bool base64_encode(struct buf *out, struct span bytes);
/* The same into a secret, leaving no copy. */
void base64_encode_secret(struct secret *out, struct span bytes);

#endif
