/*
 * Whose credentials go with an exchange: ours; those that the client brought (client-credentials = use), or those of the user whom a gateway let in (identity =
 * per-user), both on connections of their own; or none, for a destination that no-auth exempts. Decided for each hop before it is asked. Loop thread only.
 */
#ifndef EXEAT_RELAY_CREDENTIALS_H
#define EXEAT_RELAY_CREDENTIALS_H

#include <stdbool.h>

#include "base/secret.h"
#include "http/page.h"

struct exchange;
struct ask_failure;

/* A user and password as a client sent them: in Proxy-Authorization (Basic, RFC 7617), or in a SOCKS handshake. */
struct brought {
    char *user; /* NULL: none came */
    struct secret password;
    const char *fault; /* what came is malformed: a sentence without full stop; NULL: it is not */
};

/* Copies; the caller wipes what it has. */
void brought_set(struct brought *b, struct span user, struct span password);
void brought_free(struct brought *b);

/* Puts the face of the present hop that these credentials make in its place (hop.h), where one is called for. false: the exchange has been answered. */
bool credentials_settle(struct exchange *e);
/* The page for a failure: a client whose own password was refused is asked again. */
enum page_cause credentials_cause(const struct exchange *e, const struct ask_failure *failure);
/* Does the proxy ask for credentials where no-auth says that it does not, and has the client no use for its challenge? Then the exchange has been answered. */
bool credentials_exempt_in_vain(struct exchange *e);

#endif
