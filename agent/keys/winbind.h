/*
 * What gss-ntlmssp cannot say of the domain. It says "permission denied" of a wrong password, of a winbind that does not run and of one that we may not ask;
 * only the first is the client's fault. And it keeps the session's key to itself. Any thread; blocks as winbind does.
 */
#ifndef EXEAT_KEYS_WINBIND_H
#define EXEAT_KEYS_WINBIND_H

#include <stdbool.h>

#include "base/span.h"

#define WINBIND_CHALLENGE 8
#define WINBIND_KEY       16

/* What wbinfo -t asks, by the way on which passwords are checked. Where nobody can tell: true. */
bool winbind_works(void);

/* An answer to an NTLM challenge of ours. */
struct winbind_proof {
    const char *domain, *user; /* UTF-8, as the client says; "": none */
    struct span challenge;     /* its WINBIND_CHALLENGE bytes */
    struct span answer;        /* the NTLMv2 response */
};

/* The domain judges it; false: it is wrong, or the domain cannot be asked. `key`: the session's base key (MS-NLMP section 3.3.2), to be wiped. */
bool winbind_session_key(const struct winbind_proof *proof, unsigned char key[WINBIND_KEY]);

#endif
