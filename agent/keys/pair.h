/*
 * User and password for a SOCKS server: the message of RFC 1929 section 2. Pure; any thread.
 */
#ifndef EXEAT_KEYS_PAIR_H
#define EXEAT_KEYS_PAIR_H

#include "base/secret.h"
#include "config/config.h"

/* false: *why, static, follows "user and password cannot be sent: ". */
bool pair_message(struct secret *out, struct span user, struct span password, const char **why);
/* Is that the address of a SOCKS server of this upstream, and of none of its proxies? */
bool pair_is_for(const struct config_upstream *u, struct span host, uint32_t port);

#endif
