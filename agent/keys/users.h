/*
 * The file of a gateway's users: hashes only, in the forms that other programs write too, a line each, any number of forms for one user:
 *
 *     alice:$y$j9T$...                              htpasswd: for Basic
 *     alice:realm:939e7578ed9e3c518a452acee763bce9  htdigest: for Digest with MD5; 64 digits: with SHA-256
 *     alice:realm:{SHA-512-256}3798d4131c277846...  with that hash, whose digits are as many; other programs do not know this form
 *     alice:0:XXXX...:0CB69488...:[U          ]:LCT-00000000:   smbpasswd: for NTLM, its fourth field (the NT hash) alone
 *
 * Empty lines and those that begin with # are skipped. The bytes stay in locked memory: all but the first are as good as the password. A table is
 * immutable and may be shared by threads.
 */
#ifndef EXEAT_KEYS_USERS_H
#define EXEAT_KEYS_USERS_H

#include "base/err.h"
#include "base/secret.h"

enum users_kind { USERS_PASSWORD, USERS_MD5, USERS_SHA256, USERS_SHA512_256, USERS_NT, USERS_KINDS };

struct users;

#define USERS_MAX ((size_t)4 << 20) /* bytes of a file */

/* NULL: the file cannot be read, or must not be trusted; *e says why and what to do. Lines that are malformed are left out, and each is said in the log. */
struct users *users_read(const char *path, struct err *e);
/* From bytes; `name` is for the log. */
struct users *users_parse(struct span text, const char *name);
struct users *users_ref(struct users *u);
void users_unref(struct users *u);

/* Is the file that it was read from another one by now? */
bool users_changed(const struct users *u, const char *path);

/* Has anybody what this needs? `realm` for those of Digest, else it does not matter. */
bool users_have(const struct users *u, enum users_kind kind, struct span realm);
/* The hash; empty: there is none. Lent from the table. */
struct span users_find(const struct users *u, enum users_kind kind, struct span name, struct span realm);
/* Whom a client means that hides the name behind a hash (RFC 7616 section 3.4.4): `userhash` in lower-case hex, made with the hash of `kind`, one of
   Digest's. Empty: nobody; the look-up costs the same. Lent from the table. */
struct span users_hidden(const struct users *u, enum users_kind kind, struct span userhash);
/* The NT hash of the account that NTLM calls domain\user (any letter case; UTF-8), and *name: how the file writes it. `own`: the gateway's domain, or NULL. */
struct span users_find_nt(const struct users *u, struct span domain, struct span user, const char *own,
                          struct span *name);
/* One of its hashes for Basic, for whoever is not in it: for a name always the same, and each form of hash as often as in the file, so that the time that
   the comparison takes tells nothing. Empty: there is none. */
struct span users_some_password(const struct users *u, struct span name);

/* The account that a client means, as wrong passwords are counted: without the gateway's own domain, however it is written; the same for accounts that are
   not there. The caller frees. */
char *users_account(struct span domain, struct span user, const char *own);

#endif
