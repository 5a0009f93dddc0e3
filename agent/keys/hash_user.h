/*
 * exeat-keys --hash-user: the lines of a users' file (users.h) for one user, on standard output. For exeat users, which knows no hashes. Reads user, realm
 * and password, each a line, from standard input; needs no configuration and no agent. One thread.
 */
#ifndef EXEAT_KEYS_HASH_USER_H
#define EXEAT_KEYS_HASH_USER_H

/* The exit status: what is wrong is said on standard error. */
int hash_user(void);

#endif
