/*
 * Basic authentication (RFC 7617), server side: the credentials of a client read strictly, and checked against the users' file. Any thread;
 * accept_basic_check may take long.
 */
#ifndef EXEAT_KEYS_ACCEPT_BASIC_H
#define EXEAT_KEYS_ACCEPT_BASIC_H

#include "keys/users.h"

struct accept_basic {
    struct secret text; /* user:password; the two point into it */
    struct span user, password;
};

/* `token68`: what stands behind "Basic". false: malformed; *why reads on after "The field Proxy-Authorization". The caller frees in any case. */
bool accept_basic_read(struct accept_basic *b, struct span token68, const char **why);
void accept_basic_free(struct accept_basic *b);

/* Passwords that were right a short time ago, so that a slow hash is not computed for each request. Threads may share one. */
struct accept_memo;
struct accept_memo *accept_memo_new(void);
void accept_memo_free(struct accept_memo *m);

/* Is the answer known without computing a slow hash? Then accept_basic_check is quick. */
bool accept_basic_is_quick(const struct users *u, struct accept_memo *m, const struct accept_basic *b);
/* Is it this user's password? Takes as long for users that are not there as for others. */
bool accept_basic_check(const struct users *u, struct accept_memo *m, const struct accept_basic *b);

#endif
