/*
 * Who we are to an upstream (identity), which edition of the secret that is (edition: one generation), and what we know of each of its proxies (hop).
 * Main thread only; what an edition needs from providers, KDCs and GSSAPI is fetched by jobs (edition.c).
 */
#ifndef EXEAT_KEYS_IDENTITY_H
#define EXEAT_KEYS_IDENTITY_H

#include "keys/account.h"
#include "keys/digest.h"
#include "keys/gss.h"
#include "keys/guard.h"
#include "keys/keyholder.h"
#include "keys/provider.h"
#include "keys/renewal.h"
#include "keys/ticket.h"

enum part { PART_UNKNOWN, PART_RUNNING, PART_READY, PART_FAILED };

/* What Negotiate works with: immutable once made, shared by the edition and the handshakes that began with it. */
struct bundle {
    int refs;
    struct bundle *service;     /* a reference: whose ticket acts for the user of this one; NULL: nobody's */
    bool forwardable;           /* the ticket was asked to be so */
    struct ticket ticket;       /* cache NULL: no Kerberos */
    struct gss_cred *full;      /* Kerberos, and NTLM where allowed; NULL without a ticket */
    struct gss_cred *ntlm_only; /* NULL where NTLM is not allowed or there is no password */
};

struct edition {
    int refs;
    struct identity *who;
    uint32_t generation;
    bool candidate;         /* a login is trying it */
    struct account account; /* the configuration's user, or the one that the keyring's item names */

    enum part secret_state;
    enum provided_kind secret_kind; /* of the last look */
    struct err secret_why;
    uint64_t looked;        /* tick, and */
    int64_t looked_at;      /* milliseconds, of the last look */
    struct secret password; /* dropped when nobody needs it and the provider can be asked again */
    bool
        rereading; /* the configuration was read again: its provider is asked whether the secret is still the same */
    bool wanted;    /* Digest or Basic is in use: keep it */
    bool only_copy; /* typed in, and nowhere else */
    struct secret nt_hash;
    struct gss_cred *ntlm;
    struct err ntlm_why;
    struct guard *guard; /* of the password; NULL: none was seen yet */

    enum part negotiate_state;
    bool acquire; /* the next job is to ask the KDC of `realm` with the password */
    char *realm;
    struct bundle *bundle;
    struct err negotiate_why;
    enum ticket_result ticket_result;
    bool not_allowed;           /* the KDC lets no service act for this user, as far as it was asked last */
    uint64_t negotiate_looked;  /* tick of the last search for a ticket */
    int64_t negotiate_retry;    /* not before, after a failure */
    char *keytab_print;         /* what the keytab held when it was used last; NULL: it was not */
    unsigned refusals;          /* by a KDC, one after another */
    struct renewal renewal;     /* of the ticket in `bundle` */
    struct guard *ticket_guard; /* of the ticket in `bundle` */
    struct guard_attempt acquiring; /* the password is at the KDC */
};

struct hop {
    struct list node;
    char *host;
    uint32_t port;
    char *text;                     /* "proxy.corp.example:8080", for people */
    bool known;                     /* it has asked for authentication: `offered` is true */
    unsigned offered;               /* SCHEME_BITs */
    enum floor_level digest_level;  /* of the Digest challenge among them */
    enum floor_level digest_spoken; /* of the one whose nonce `digest` has */
    char *offer_text;               /* "Negotiate, NTLM", for people */
    char worked[48];                /* the scheme that was accepted last, for people; empty: none yet */
    enum auth_scheme worked_scheme;
    uint32_t worked_generation;
    int64_t shy_until;            /* a first token sent unasked was not understood: wait to be asked */
    int64_t no_asides_until;      /* final tokens ride on requests alone (aside.h), */
    char *in_vain_site;           /* or on those for this site, */
    int64_t in_vain_until;        /* until then */
    bool raw_negotiate;           /* under the name Negotiate it speaks raw NTLM */
    int64_t no_spnego_ntlm_until; /* and until then it is held to take no NTLM inside SPNEGO */
    bool unproved;                /* it did not prove itself when it should have, the last time */
    struct digest *digest;
    uint32_t digest_generation;
    char digest_words[32];   /* "Digest SHA-256", for people */
    enum part service_state; /* the service ticket, for this generation: */
    uint32_t service_generation;
    int64_t service_retry;
    struct err service_why;
    char *service_name; /* whom the ticket is for, with realm */
};

struct trial;
struct guest;
struct visitor;
struct resident;

struct identity {
    struct list node;
    struct keyholder *k;
    char *name;
    struct config *config;           /* a reference, for: */
    const struct config_upstream *u; /* NULL: the section is gone from the configuration */
    struct guest *guest;             /* NULL: the configured one; else one of these as well: */
    struct visitor *visitor;         /* a client's own identity (visitor.h) */
    struct resident *resident;       /* of a gateway's user (resident.h) */
    unsigned contexts, editions;     /* that point here */
    struct account account;
    struct edition *current;
    struct edition *candidate; /* NULL: no login is under way */
    struct trial *trial;
    uint32_t last_generation;
    struct list hops;
    size_t n_found;
    struct list waiting; /* struct context, FIFO: they run again when `wake` is set */
    bool wake;
};

/* Makes the identities fit k->config; those whose user, secret, schemes or service name changed get a new generation. */
void identities_sync(struct keyholder *k);
void identities_free(struct keyholder *k);
struct identity *identity_named(struct keyholder *k, struct span name); /* NULL: no such upstream */
/* For guest.c: one more, without a section yet; and its end, when nothing points to it. */
struct identity *identity_new(struct keyholder *k, const char *name);
void identity_free(struct identity *who);
/* Who this text means: *a, with the section's default domain. It is nobody (ACCOUNT_NONE) where it is no user name; *why then. */
bool identity_account(const struct config_upstream *u, struct span text, struct account *a, const char **why);
/* Do both make us the same to the proxy, with a secret from the same place? */
bool identity_same_section(const struct config_upstream *a, const struct config_upstream *b);
/* The proxy of this upstream, or NULL when the configuration does not name it (proxy, hosts), or there are too many. */
struct hop *identity_hop(struct identity *who, struct span host, uint32_t port);
/* Does the configuration still name it? */
bool identity_names(const struct identity *who, const struct hop *h);
const char *identity_text(const struct edition *e); /* for people; "" while unknown */
/* For the agent, which tells by it whose connections go and who waits for a login. Of a gateway's user, it is what the keyring's item is named after:
   the upstream's domain may make one of two spellings. */
const char *identity_known_as(const struct edition *e);

/* This edition is in force from now on: the agent is told, those who wait run again. Takes over the reference. */
void identity_put(struct identity *who, struct edition *e);
/* The same, and the agent is not told: what was let in by the one before is as good as it was. */
void identity_follow(struct identity *who, struct edition *e);
/* All who wait on this guard's verdict run again. */
void identities_wake_guard(struct keyholder *k, const struct guard *g);
/* In a new network: no failure keeps from asking KDCs again. */
void identities_retry(struct keyholder *k);
/* Runs them, until nothing moves any more. Once per turn of the loop. */
void identities_run(struct keyholder *k);

struct edition *edition_new(struct identity *who);
struct edition *edition_ref(struct edition *e);
void edition_unref(struct edition *e);
struct bundle *bundle_ref(struct bundle *b);
void bundle_unref(struct bundle *b);

/* Guards of all identities: the same account and secret, the same guard. Frozen at once where a mark says so. A new reference. */
struct guard *guard_get(struct keyholder *k, const char *account, const char *mark);
/* The attempt was refused (denied: by a KDC): the guard decides, the mark is written, those who wait learn of it. */
enum guard_fall guard_settle_refused(struct keyholder *k, struct guard_attempt *attempt, const char *upstream,
                                     const char *by, bool denied);

enum ready {
    READY_YES,
    READY_WAIT, /* the identity wakes those who wait when there is news */
    READY_NO,   /* cannot be had: *why, a sentence without full stop */
    READY_NEVER, /* the same, and no other scheme would do better: the account is locked, the password expired */
    READY_REFUSED, /* the guard is frozen */
};

/* `since`: the tick at which the question came up: what was found out later than that is taken as the answer, so that a question that keeps
   failing ends. The secret has been asked for, whatever the outcome: */
enum ready edition_need_secret(struct edition *e, uint64_t since, struct err *why);
/* e->password, for Digest and Basic. */
enum ready edition_need_password(struct edition *e, uint64_t since, struct err *why);
/* e->ntlm. */
enum ready edition_need_ntlm(struct edition *e, uint64_t since, struct err *why);
/* e->bundle. */
enum ready edition_need_negotiate(struct edition *e, uint64_t since, struct err *why);
/* After a reload: those who need the secret wait until its provider has said whether it has changed. */
void edition_reread(struct edition *e);
/* The same where it was refused and may be good all the same (a blocked site), or may have been replaced before that. */
void edition_doubt_secret(struct edition *e, uint64_t since);
/* Is there another secret or ticket by now? READY_WAIT: being looked up; READY_NO: nothing new. News comes as a new edition. */
enum ready edition_look_again(struct edition *e, uint64_t since);
enum ready edition_look_for_ticket(struct edition *e,
                                   uint64_t since); /* the same, for a ticket that may be new */
/* Looks for secret and ticket where that shows nothing to anybody and runs no command. true: it is under way. */
bool edition_peek(struct edition *e, uint64_t since);
/* GSSAPI failed with what we had found: look again at the next question. */
void edition_doubt_ticket(struct edition *e);
/* A failure to find or get a ticket is no reason to wait any more. */
void edition_retry(struct edition *e);
/* Loads a password that was typed in. */
void edition_give(struct edition *e, struct span user, struct secret *password);
/* For renewal.c: looks for a later ticket while the one in hand still serves; and goes on when there is news. */
void edition_renew(struct edition *e);
void edition_renew_further(struct edition *e);
/* Drops what is not needed any more. */
void edition_tidy(struct edition *e);

#endif
