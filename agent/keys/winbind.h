/*
 * Whether the domain can be asked at all. gss-ntlmssp says "permission denied" of a wrong password, of a winbind that does not run and of one that we may not
 * ask; only the first is the client's fault. Any thread; blocks as winbind does.
 */
#ifndef EXEAT_KEYS_WINBIND_H
#define EXEAT_KEYS_WINBIND_H

#include <stdbool.h>

/* What wbinfo -t asks, by the way on which passwords are checked. Where nobody can tell: true. */
bool winbind_works(void);

#endif
