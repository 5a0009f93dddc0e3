/*
 * No lock-outs (guarantee 1): who may send a token made from a secret now, who waits, and what a refusal means. One guard for one edition of
 * one account's secret, shared by all upstreams and schemes that use it; one record in it for each upstream.
 *
 *   unproven  this upstream has never accepted the secret: at most one unanswered attempt, all others wait for its verdict.
 *             Refused: frozen for everybody (only for this upstream where another one has accepted the secret).
 *             (Where another upstream has accepted it, its attempts in flight do not hold up this one, as long as two places are left.)
 *   proven    at most GUARD_IN_FLIGHT unanswered tokens, however long their verdicts take, two of them for one site. Refused: that site alone is
 *             refused, and remembered; then one attempt at a time; refused again for another site with no success in between: frozen.
 *             (A success that was sent off before the refusal says nothing about the secret after it.)
 *   frozen    nothing is sent until the secret changes.
 *
 * A token's verdict comes with the answer to the request that it rides on, which may be slow for its own reasons (a site that does not answer, a long
 * poll). So that such requests cannot hold up all others, the last place, and each place beside an unexplained refusal, is only for attempts
 * whose verdict waits for no origin server (GUARD_ASIDE; keys/aside.c): those come and go in one round trip. Refusals since the last success and attempts in flight together
 * are never more than GUARD_IN_FLIGHT, but for one attempt that is alone: a password that others have changed is shown three times, no more.
 *
 * A site that is refused again and again with no success anywhere is remembered for longer each time (5 minutes, 30, 3 hours, ...): one client that
 * asks for one site for ever must not add up to a lock-out either.
 *
 * Pure: no clocks (times are milliseconds of any steady clock, passed in), no I/O. Main thread.
 */
#ifndef EXEAT_KEYS_GUARD_H
#define EXEAT_KEYS_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/span.h"

#define GUARD_IN_FLIGHT   3
#define GUARD_SAME_SITE   2
#define GUARD_SITE_MS     (5 * 60 * 1000)
#define GUARD_SITE_FACTOR 6
#define GUARD_SITE_MAX_MS (24 * 60 * 60 * 1000)
#define GUARD_SITES       64 /* refused sites remembered for each upstream; the oldest goes first */
#define GUARD_DROPPED_MAX 3  /* unproven, and the connection was lost so often without a verdict: */
#define GUARD_DROPPED_MS                                                                                     \
    30000 /* nothing is tried for so long; then once, and for so long times GUARD_DROPPED_FACTOR not, and so on: */
#define GUARD_DROPPED_FACTOR  4
#define GUARD_DROPPED_MOST_MS (60 * 60 * 1000)

enum guard_kind {
    GUARD_TOKEN, /* NTLM's last message on a request: each one is counted by the directory */
    GUARD_ASIDE, /* the same where no origin server can hold back the verdict: on a knock of our own, or a password shown to a KDC */
    GUARD_PAIR, /* user and password shown to a SOCKS server, each time counted by who knows what: its no is about them and nothing else */
    GUARD_HEADER, /* Basic and Digest: free once proven, since each request carries one */
    GUARD_TICKET, /* a Kerberos token: no password attempt, never waits */
};

enum guard_say {
    GUARD_GO,     /* the attempt has begun: end it with refused, accepted or dropped */
    GUARD_WAIT,   /* ask again when any attempt of this guard has ended */
    GUARD_LAST,   /* there is room for a GUARD_ASIDE only: ask again with that, or wait as above */
    GUARD_FROZEN, /* refused before */
    GUARD_SITE,   /* this site was refused a short while ago */
    GUARD_PAUSED, /* too many attempts were lost without a verdict: ask again later */
};

enum guard_fall { GUARD_FELL_SITE, GUARD_FELL_FROZEN };

struct guard_record;

struct guard {
    struct list node; /* in the table of its owner */
    int refs;
    char *account; /* account key */
    char *mark;    /* keyed hash of the secret (or of what identifies the ticket) */
    bool frozen;
    bool lasting;       /* of a configured identity: its refusal is remembered over restarts */
    char *refused_by;   /* proxy that refused last; NULL: none */
    int64_t refused_at; /* seconds since 1970; 0: never */
    unsigned in_flight;
    unsigned refused;  /* since the last success, tickets not counted */
    unsigned refusals; /* ever: tells whether a success was asked for before or after a refusal */
    struct guard_record *records;
};

struct guard_attempt {
    struct guard *guard; /* NULL: none is under way. Owned: one reference */
    struct guard_record *record;
    char *site;
    enum guard_kind kind;
    bool counted;
    unsigned refusals; /* of the guard when it began */
};

struct guard *guard_new(const char *account, const char *mark);
struct guard *guard_ref(struct guard *g);
void guard_unref(struct guard *g); /* the owner of the table holds a reference of its own */

/* Has this upstream taken it? */
bool guard_is_proven(const struct guard *g, const char *upstream);
/* Has any upstream? */
bool guard_is_accepted(const struct guard *g);
/* What guard_begin would say about a frozen guard or a refused site, without beginning (GUARD_GO otherwise). */
enum guard_say guard_look(const struct guard *g, const char *upstream, struct span site, int64_t now);
enum guard_say guard_begin(struct guard *g, const char *upstream, struct span site, enum guard_kind kind,
                           int64_t now, struct guard_attempt *attempt);

/* The ends of an attempt; each leaves *attempt empty. Ending an empty one does nothing (FELL_FROZEN). */
enum guard_fall guard_refused(struct guard_attempt *attempt, int64_t now);
void guard_denied(
    struct guard_attempt
        *attempt); /* refused by a KDC: that is about the password and nothing else, so it freezes for all */
void guard_accepted(struct guard_attempt *attempt);
void guard_dropped(struct guard_attempt *attempt,
                   int64_t now); /* no verdict: the connection or the client went away */
void guard_passed(
    struct guard_attempt *attempt); /* a KDC took the password: right, but no proxy has accepted it yet */

/* The proxy asks for something else, as if it had not seen what it was sent. May that be so? Not twice with an unproven secret and no success in
   between: it has seen it then, and each time counts. The attempt goes on. */
bool guard_overlooked(const struct guard_attempt *attempt);

void guard_freeze(struct guard *g,
                  const char *upstream); /* upstream NULL: for all; a mark that was read from disk */
void guard_thaw(struct guard *g);        /* a person wants one more try: unproven again */

/* The host of a request target: what is remembered as a site. Without the port: who is refused a site by http tries https next. */
struct span guard_site(struct span target);

#endif
