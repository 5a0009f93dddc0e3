/*
 * What GSSAPI says of a failure, in words: for both sides of it (gss.h, accept_gss.h). Any thread.
 */
#ifndef EXEAT_KEYS_GSS_WORDS_H
#define EXEAT_KEYS_GSS_WORDS_H

#include <gssapi/gssapi.h>

#include "base/err.h"

/* *e: `what`, and behind it in brackets what the library has to say of the two codes, `minor` by the mechanism (GSS_C_NO_OID: unknown). Always false. */
bool gss_explain(struct err *e, const char *what, OM_uint32 major, OM_uint32 minor, gss_OID mech);

#endif
