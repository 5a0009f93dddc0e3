/*
 * The NT hash of a password: MD4 over its UTF-16LE form (MS-NLMP section 3.3.1, NTOWFv1). Any thread.
 */
#ifndef EXEAT_KEYS_NTHASH_H
#define EXEAT_KEYS_NTHASH_H

#include "base/err.h"
#include "base/secret.h"

/* 32 lower-case hex digits into *hex (as good as the password: a secret). false: not UTF-8, or this OpenSSL has no MD4. */
bool nt_hash(struct secret *hex, struct span password, struct err *e);

/* 32 hexadecimal digits? */
#define NT_HASH_DIGITS ((size_t)32)
bool nt_hash_is(struct span hex);
/* A hash that is there already, as nt_hash would have made it. false: it is none. */
bool nt_hash_take(struct secret *hex, struct span given, struct err *e);

#endif
