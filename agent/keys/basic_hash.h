/*
 * Passwords against the hashes of htpasswd: what crypt(3) knows of them, and the two forms of Apache's own. Checking one takes as long as its maker
 * wished: worker threads. Any thread.
 */
#ifndef EXEAT_KEYS_BASIC_HASH_H
#define EXEAT_KEYS_BASIC_HASH_H

#include <stdbool.h>

#include "base/secret.h"

/* NULL: a hash that can be checked. Else what is wrong with it: static text that reads on after "line 7". */
const char *basic_hash_fault(struct span hash);
/* Does it take so long that it should not be done for every request? */
bool basic_hash_is_slow(struct span hash);
/* Compares in constant time. false: another password, or one that this form of hash cannot take. */
bool basic_hash_is(struct span hash, const struct secret *password);

#endif
