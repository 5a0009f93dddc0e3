/*
 * The hashing of Digest access authentication (RFC 7616 sections 3.3 and 3.4): its algorithms by name, and H
 * over values joined by colons. Any thread.
 */
#ifndef EXEAT_KEYS_DIGEST_HASH_H
#define EXEAT_KEYS_DIGEST_HASH_H

#include <openssl/evp.h>

#include "base/span.h"

struct digest_algorithm {
    const char *name; /* as challenges and answers spell it */
    const char *hash; /* OpenSSL's name */
    bool session;     /* -sess: A1 also covers the first nonce and client nonce */
};

/* Any letter case; NULL: the challenge names none, that is MD5. Answers NULL for an algorithm that we do not
 * know. */
const struct digest_algorithm *digest_algorithm_find(const char *name);
/* The hash itself; NULL: this OpenSSL does not offer it (FIPS has no MD5). The caller frees with EVP_MD_free.
 */
EVP_MD *digest_algorithm_fetch(const struct digest_algorithm *algorithm);

#define DIGEST_HEX_SIZE 65 /* of the longest hash, in lower-case hex, with a NUL */

/* H(part ":" part ...) in hex. Wipes what it used; the caller wipes `hex` where the parts held a password. */
void digest_hash(const EVP_MD *md, char hex[DIGEST_HEX_SIZE], const struct span *parts, size_t n);
/* The same with the parts as arguments. */
#define DIGEST_HASH(md, hex, ...)                                                                            \
    digest_hash(md, hex, (const struct span[]){__VA_ARGS__},                                                 \
                sizeof((const struct span[]){__VA_ARGS__}) / sizeof(struct span))

/* n random bytes as 2 n hex digits and a NUL; the caller frees. */
char *digest_random_hex(size_t n);

#endif
