/*
 * Kerberos tickets: the user's own, found in a cache of any type; or one acquired with a password or a keytab into a private memory cache,
 * and renewed. Calls block on KDCs (27 s when one swallows packets): worker threads. The library keeps no state of ours between calls.
 */
#ifndef EXEAT_KEYS_TICKET_H
#define EXEAT_KEYS_TICKET_H

#include <stdint.h>
#include <time.h>

#include "base/err.h"
#include "base/secret.h"
#include "config/config.h"
#include "keys/account.h"

enum ticket_result {
    TICKET_OK,
    TICKET_NONE,           /* no cache has a valid ticket of this account; no keytab has its key */
    TICKET_WRONG_PASSWORD, /* the only one that refuses the secret */
    TICKET_WRONG_KEY,      /* the same for a keytab, which is no password: nobody counts it but we */
    TICKET_PASSWORD_EXPIRED,
    TICKET_REVOKED, /* account disabled, locked or expired */
    TICKET_CLOCK_SKEW,
    TICKET_UNKNOWN_USER,
    TICKET_UNKNOWN_SERVICE,
    TICKET_NOT_ALLOWED, /* a service may not act for that user */
    TICKET_UNREACHABLE, /* no KDC answered, or none is known for the realm */
    TICKET_FAILED,
    TICKET_SAME, /* nothing was asked: the keytab is the one that was refused */
};

struct ticket {
    char *cache;        /* "FILE:/tmp/krb5cc_1000": what GSSAPI is given. NULL: none */
    char *principal;    /* "alice@CORP.EXAMPLE" */
    time_t since;       /* when its owner proved who he is, seconds since 1970: a renewed ticket keeps that */
    time_t start;       /* begin and */
    time_t until;       /* end of the ticket-granting ticket */
    time_t renew_until; /* 0: it cannot be renewed */
    bool private;       /* our own memory cache: destroyed by ticket_free */
    bool delegated;     /* a gateway's client handed it on */
    struct acting
        *acting; /* the user has not proved himself to the KDC: a service acts for him; NULL: he has */
};

void ticket_free(struct ticket *t); /* any thread */

/* It will do for a while yet: more than a minute, or 5 % of its life where that is less. */
bool ticket_lasts(const struct ticket *t, time_t now);

/* A valid ticket of this account in the user's own caches. TICKET_OK or TICKET_NONE (e says which are there instead). */
enum ticket_result ticket_find(const struct account *who, struct ticket *out, struct err *e);

/* Does the cache still hold this principal's ticket? `primary`: and is it still the one that "kinit" fills? Asks no KDC. */
bool ticket_is_current(const struct ticket *t, bool primary);

/* The realm in which a password of this account may be tried: alice@CORP.EXAMPLE says it itself; CORP\alice means a realm of krb5.conf that has
   KDCs there, or the default realm where that begins with CORP; alice means the default realm. NULL: *e. The caller frees. */
char *ticket_realm(const struct account *who, struct err *e);

/* The authentication exchange with a KDC: one password attempt. `forwardable`: it shall be a ticket that can be delegated. */
enum ticket_result ticket_acquire(const struct account *who, const char *realm, const struct secret *password,
                                  bool forwardable, struct ticket *out, struct err *e);

struct keytab_ask {
    const struct account *who; /* ACCOUNT_NONE: the keytab's first principal */
    const char *path;
    bool forwardable;
    bool look_only;      /* is there a key? No KDC is asked: TICKET_SAME or TICKET_NONE */
    const char *refused; /* `print` of a keytab that is not to be tried again now; NULL: none */
};
/* The same exchange with a key. *print: which key that was (the caller frees), NULL: there is none. */
enum ticket_result ticket_from_keytab(const struct keytab_ask *ask, struct ticket *out, char **print,
                                      struct err *e);

/* A later ticket for one of ours, from the KDC, without password or key. */
enum ticket_result ticket_renew(const struct ticket *old, struct ticket *out, struct err *e);

/* A memory cache that GSSAPI has filled, which is ours from now on. false: it is not `principal`'s, or its ticket gets no others; then it is gone, and *e. */
bool ticket_adopt(const char *cache, const char *principal, struct ticket *out, struct err *e);
/* Destroys such a cache. */
void ticket_discard(const char *cache);
/* What was handed on, in a cache of our own. */
enum ticket_result ticket_delegated(const struct ticket *from, struct ticket *out, struct err *e);

struct act_ask {
    const struct ticket *service; /* of the service that acts: its cache must outlive *out */
    const struct account *who;    /* for whom, and */
    const char *realm;            /* in which realm; or */
    const char *principal;        /* the same, where the client's own ticket for us says it: */
    int64_t until;                /* and when it ends; 0: no end is known */
    struct span
        evidence; /* that ticket; empty: there is none, and the KDC takes the service's word, if it does */
};
/* A cache into which ticket_service puts tickets in the user's name, and which is good for nothing else. */
enum ticket_result ticket_act(const struct act_ask *ask, struct ticket *out, struct err *e);

struct service {
    const char *host; /* of the proxy, as configured */
    const char *spn;  /* HTTP/host, with or without @REALM: taken as it is; NULL: made of the host, by: */
    enum canonicalize canonicalize;
};
/* Puts the service ticket into the cache, so that GSSAPI finds it there without asking a KDC. *principal: whom it is for, with realm (the
   caller frees): GSSAPI is told exactly that, so that the two never disagree. */
enum ticket_result ticket_service(const struct ticket *t, const struct service *s, char **principal,
                                  struct err *e);

struct kdc_clock {
    char *realm;    /* the caller frees; NULL: none is known */
    bool told;      /* the KDC said what time it is: */
    int64_t offset; /* its clock minus ours, in seconds */
    bool knows;     /* it knows the account */
};
/* Asks a KDC of the account's realm (or of `principal`'s, where there is a ticket) for what it refuses without a proof, and reads its clock off the
   refusal: no password is shown, no attempt is counted. TICKET_OK: it answered. */
enum ticket_result ticket_clock(const struct account *who, const char *principal, struct kdc_clock *out,
                                struct err *e);

#endif
