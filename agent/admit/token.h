/*
 * Tokens: what a client from beyond this machine shows instead of a uid. 256 random bits as base64url text (RFC 4648 section 5), so that a plain hash of it
 * is enough to keep: there is nothing to guess. Pure but for the random bytes; any thread.
 */
#ifndef EXEAT_ADMIT_TOKEN_H
#define EXEAT_ADMIT_TOKEN_H

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"
#include "config/config.h"

#define TOKEN_LENGTH ((size_t)43)
#define TOKEN_HASH   32 /* bytes, SHA-256 */

/* A new one, NUL-terminated. The caller wipes it. */
bool token_new(char token[TOKEN_LENGTH + 1], struct err *e);
/* Of the text as it is. false: there is no memory left in OpenSSL. */
bool token_hash(struct span token, unsigned char hash[TOKEN_HASH]);
/* The client of that name if the token is its own, else NULL. How long it takes tells nothing of the token. */
const struct config_client *token_owner(const struct config *c, struct span name, struct span token);

#endif
