/*
 * The nonces that a gateway gives to its Digest clients, and the counts of them that were used (RFC 7616 sections 3.3, 3.4, 5.5). Threads may share a mint.
 */
#ifndef EXEAT_KEYS_DIGEST_NONCE_H
#define EXEAT_KEYS_DIGEST_NONCE_H

#include <stdint.h>

#include "base/span.h"

#define NONCE_DIGITS ((size_t)64) /* hex: time, serial, keyed hash */
#define NONCE_PLACES 1024         /* nonces whose counts are remembered */
#define NONCE_WINDOW 64 /* counts below the highest that may still come, since requests overtake each other */

struct nonce_mint;

struct nonce_mint *nonce_mint_new(void); /* NULL: no random numbers */
void nonce_mint_free(struct nonce_mint *m);

/* `text`: NONCE_DIGITS and a NUL. `now`: milliseconds since 1970. */
void nonce_make(struct nonce_mint *m, int64_t now, char *text);

/* Is it one of ours, and how old? -1: not ours. */
int64_t nonce_age(struct nonce_mint *m, struct span nonce, int64_t now);
/* Takes one count of a nonce of ours. false: this one was seen before, or nobody knows whether it was. */
bool nonce_count(struct nonce_mint *m, struct span nonce, uint32_t count);

#endif
