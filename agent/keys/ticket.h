/*
 * Kerberos tickets: the user's own, found in a cache of any type; or one acquired with a password into a private memory cache. Calls block on
 * KDCs (27 s when one swallows packets): worker threads. The library keeps no state of ours between calls.
 */
#ifndef EXEAT_KEYS_TICKET_H
#define EXEAT_KEYS_TICKET_H

#include <time.h>

#include "base/err.h"
#include "base/secret.h"
#include "keys/account.h"

enum ticket_result {
    TICKET_OK,
    TICKET_NONE,           /* no cache has a valid ticket of this account */
    TICKET_WRONG_PASSWORD, /* the only one that refuses the secret */
    TICKET_PASSWORD_EXPIRED,
    TICKET_REVOKED, /* account disabled, locked or expired */
    TICKET_CLOCK_SKEW,
    TICKET_UNKNOWN_USER,
    TICKET_UNKNOWN_SERVICE,
    TICKET_UNREACHABLE, /* no KDC answered, or none is known for the realm */
    TICKET_FAILED,
};

struct ticket {
    char *cache;     /* "FILE:/tmp/krb5cc_1000": what GSSAPI is given. NULL: none */
    char *principal; /* "alice@CORP.EXAMPLE" */
    time_t until;    /* end of the ticket-granting ticket, seconds since 1970 */
    time_t since;
    bool private; /* our own memory cache: destroyed by ticket_free */
};

void ticket_free(struct ticket *t); /* any thread */

/* A valid ticket of this account in the user's own caches. TICKET_OK or TICKET_NONE (e says which are there instead). */
enum ticket_result ticket_find(const struct account *who, struct ticket *out, struct err *e);

/* The realm in which a password of this account may be tried, or NULL: alice@CORP.EXAMPLE says it itself; CORP\alice only where krb5.conf
   names KDCs of a realm CORP; alice never (the default realm may be anybody's). The caller frees. */
char *ticket_realm(const struct account *who);

/* The authentication exchange with a KDC: one password attempt. */
enum ticket_result ticket_acquire(const struct account *who, const char *realm, const struct secret *password,
                                  struct ticket *out, struct err *e);

/* Puts the service ticket for HTTP/host (or `spn`, when not NULL) into the cache, so that GSSAPI finds it there without asking a KDC. */
enum ticket_result ticket_service(const struct ticket *t, const char *host, const char *spn, struct err *e);

#endif
