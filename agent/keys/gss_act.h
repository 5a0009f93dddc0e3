/*
 * GSSAPI for acting in another's name: what MS-SFU section 3.1.5.1 calls S4U2Self. Blocks on a KDC: worker threads.
 */
#ifndef EXEAT_KEYS_GSS_ACT_H
#define EXEAT_KEYS_GSS_ACT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* A ticket of `user` (a Kerberos principal) for the service whose own ticket is in the memory cache `service`: the KDC gives it without a proof of the
   user's, on the word of the service. Into the cache `into`, which is made. false: *e; *code is Kerberos' number for it. */
bool gss_impersonate(const char *service, const char *user, const char *into, int32_t *code, struct err *e);

#endif
