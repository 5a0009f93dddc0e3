/*
 * The choice among challenges: the configuration's order of what may be answered, as far as the proxy offers it. Pure.
 */
#ifndef EXEAT_KEYS_CHOOSE_H
#define EXEAT_KEYS_CHOOSE_H

#include "config/config.h"
#include "keys/challenge.h"

#define SCHEME_BIT(scheme) (1u << (scheme))

/* The schemes offered that we could answer (Digest only with a known algorithm and qop), as SCHEME_BITs. */
unsigned choose_offered(const struct challenge_list *list);

/* The best of `offered` that the configuration allows and that is not in `tried`; AUTH_SCHEMES: none. */
enum auth_scheme choose_next(const struct config_upstream *u, unsigned offered, unsigned tried);

bool choose_allows(const struct config_upstream *u, enum auth_scheme scheme);

/* The challenge of this scheme (for Digest the first that can be answered, RFC 7616 section 3.7), or NULL. */
const struct challenge *choose_challenge(const struct challenge_list *list, enum auth_scheme scheme);

/* "Negotiate, NTLM" as offered, into `out`, for people. */
void choose_describe(const struct challenge_list *list, struct buf *out);

#endif
