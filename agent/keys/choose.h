/*
 * The choice among challenges: the configuration's order of what may be answered, as far as the proxy offers it. Pure.
 */
#ifndef EXEAT_KEYS_CHOOSE_H
#define EXEAT_KEYS_CHOOSE_H

#include "config/config.h"
#include "keys/challenge.h"
#include "keys/floor.h"

#define SCHEME_BIT(scheme) (1u << (scheme))

/* The schemes offered that we could answer (Digest only with a known algorithm and qop), as SCHEME_BITs. */
unsigned choose_offered(const struct challenge_list *list);

/* How strong the Digest challenge is that would be answered; FLOOR_NONE: there is none. */
enum floor_level choose_digest_level(const struct challenge_list *list);

/* What is said to this proxy is read by nobody on the way: TLS, or this machine. */
bool choose_is_private(const struct config_upstream *u, struct span host, uint32_t port);

/* What may be answered to this proxy, as SCHEME_BITs: what auth = names, but Basic in clear text only where basic-in-clear = yes.
   Whether it is clear text is read from the configuration, never taken from the agent. */
unsigned choose_allowed(const struct config_upstream *u, struct span host, uint32_t port);

/* Clear text alone keeps the Basic that is offered from being answered, or would, were it named in auth =. */
bool choose_holds_back_basic(const struct config_upstream *u, unsigned offered, struct span host,
                             uint32_t port);

/* The best of `offered` that the configuration allows and that is not in `tried`; AUTH_SCHEMES: none. */
enum auth_scheme choose_next(const struct config_upstream *u, unsigned offered, unsigned tried);

bool choose_allows(const struct config_upstream *u, enum auth_scheme scheme);

/* The challenge of this scheme (for Digest the first that can be answered, RFC 7616 section 3.7), or NULL. */
const struct challenge *choose_challenge(const struct challenge_list *list, enum auth_scheme scheme);

/* "Negotiate, NTLM" as offered, into `out`, for people. */
void choose_describe(const struct challenge_list *list, struct buf *out);

#endif
