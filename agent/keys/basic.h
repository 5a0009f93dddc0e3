/*
 * Basic authentication (RFC 7617): the header value, which is the secret itself in other letters.
 */
#ifndef EXEAT_KEYS_BASIC_H
#define EXEAT_KEYS_BASIC_H

#include "base/secret.h"

/* Appends "Basic " and base64(user ":" password), both as the UTF-8 bytes they are. false: the user or the
   password cannot be sent this way (section 2: no colon in the user, no control characters in either); *out
   is untouched and *why is static text. Leaves no copy of the password. Any thread. */
bool basic_header(struct secret *out, struct span user, struct span password, const char **why);

#endif
