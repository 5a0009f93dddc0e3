/*
 * The Kerberos side of an edition: the user's own ticket, else one acquired with the password, and the SPNEGO credentials made of it and of
 * the NT hash. Asking a KDC with a password is an attempt that the guard counts; it is made once for all who wait, and by nobody
 * while another attempt with the same password is unanswered. Main thread, but for negotiate_run, which touches its job alone.
 */
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/log.h"
#include "keys/choose.h"
#include "keys/identity.h"
#include "keys/work.h"

#define LOOK_AGAIN_MS  30000 /* for a ticket, while NTLM does without */
#define RETRY_MS       60000 /* after a KDC said no */
#define UNREACHABLE_MS 2000  /* after none answered: the network may be back any moment */
#define TICKET_SECONDS 60    /* a ticket that ends sooner is looked for again */

struct negotiate_job {
    struct job job;
    struct edition *e; /* a reference; the worker does not look at it */
    struct account account;
    char *realm; /* ask its KDC with `password`; NULL: look for the user's own ticket */
    struct secret password;
    struct secret nt_hash; /* present where NTLM is allowed inside Negotiate */
    bool own;              /* the user's own ticket will do */
    bool may_acquire;
    bool acquire; /* out: there is no ticket, and `realm` knows how to get one */
    enum ticket_result result;
    struct bundle *bundle;
    struct err why;
};

struct bundle *bundle_ref(struct bundle *b)
{
    if (b)
        b->refs++;
    return b;
}

void bundle_unref(struct bundle *b)
{
    if (!b || --b->refs > 0)
        return;
    gss_cred_free(b->full);
    gss_cred_free(b->ntlm_only);
    ticket_free(&b->ticket);
    free(b);
}

/* Worker. Credentials of what there is; a bundle with none is given back. */
static void make_credentials(struct negotiate_job *j, struct ticket *ticket)
{
    struct bundle *b = mem_zero(sizeof *b);
    b->refs = 1;
    b->ticket = *ticket;
    if (b->ticket.cache) {
        struct gss_cred_request full = {.mech = GSS_MECH_SPNEGO,
                                        .name = b->ticket.principal,
                                        .cache = b->ticket.cache,
                                        .nt_hash = &j->nt_hash};
        b->full = gss_cred_new(&full, &j->why);
        if (!b->full)
            j->result = TICKET_FAILED;
    }
    if (secret_present(&j->nt_hash) && j->account.form != ACCOUNT_NONE) {
        struct gss_cred_request ntlm = {
            .mech = GSS_MECH_SPNEGO, .name = j->account.text, .nt_hash = &j->nt_hash};
        b->ntlm_only = gss_cred_new(&ntlm, b->full ? NULL : &j->why);
    }
    if (b->full || b->ntlm_only)
        j->bundle = b;
    else
        bundle_unref(b);
}

/* Worker. */
static void negotiate_run(struct job *job)
{
    struct negotiate_job *j = (struct negotiate_job *)job;
    struct ticket ticket = {0};
    j->result = TICKET_NONE;
    if (j->realm) {
        j->result = ticket_acquire(&j->account, j->realm, &j->password, &ticket, &j->why);
    } else {
        if (j->own)
            j->result = ticket_find(&j->account, &ticket, &j->why);
        if (j->result != TICKET_OK && j->may_acquire)
            j->realm = ticket_realm(&j->account);
        if (j->result != TICKET_OK && j->realm) {
            j->acquire = true;
            return;
        }
    }
    make_credentials(j, &ticket);
}

static struct guard *guard_of_ticket(const struct edition *e, const struct ticket *t)
{
    struct buf mark = {0};
    if (t->private)
        buf_addf(&mark, "ticket of %s", e->guard->mark);
    else
        buf_addf(&mark, "ticket %s %lld", t->principal, (long long)t->since);
    struct guard *g = guard_get(e->who->k, t->principal, buf_cstr(&mark));
    buf_free(&mark);
    return g;
}

static bool is_frozen(const struct edition *e, const struct guard *g)
{
    return g && guard_look(g, e->who->name, SPAN(""), now_ms()) == GUARD_FROZEN;
}

/* Another ticket than the one that was refused, or another person's: a new generation. */
static bool is_news(const struct edition *e, const struct guard *fresh)
{
    const struct guard *old = e->ticket_guard;
    if (!old || old == fresh || e != e->who->current)
        return false;
    return is_frozen(e, old) || strcmp(old->account, fresh->account) != 0;
}

static void take_bundle(struct edition *e, struct bundle *b)
{
    if (b->ticket.cache) {
        struct guard *fresh = guard_of_ticket(e, &b->ticket);
        if (is_news(e, fresh)) {
            guard_unref(fresh);
            bundle_unref(b);
            identity_put(e->who, edition_new(e->who)); /* finds the ticket again for itself */
            return;
        }
        guard_unref(e->ticket_guard);
        e->ticket_guard = fresh;
        log_debug(NULL, "upstream %s: Kerberos ticket of %s", e->who->name, b->ticket.principal);
    }
    bundle_unref(e->bundle);
    e->bundle = b;
    e->negotiate_state = PART_READY;
}

/* The KDC has spoken, or not: what that says about the password. */
static void settle_attempt(struct edition *e, const struct negotiate_job *j)
{
    struct buf by = {0};
    if (!e->acquiring.guard)
        return;
    buf_addf(&by, "the Kerberos server of %s", j->realm);
    if (j->result == TICKET_WRONG_PASSWORD)
        guard_settle_refused(e->who->k, &e->acquiring, e->who->name, buf_cstr(&by), true);
    else
        guard_passed(&e->acquiring);
    buf_free(&by);
    if (e->guard)
        identities_wake_guard(e->who->k, e->guard);
}

static int64_t retry_after(enum ticket_result result, bool bundle)
{
    switch (result) {
    case TICKET_OK:
        return 0;
    case TICKET_NONE:
        return bundle ? now_ms() + LOOK_AGAIN_MS : 0;
    case TICKET_UNREACHABLE:
        return now_ms() + UNREACHABLE_MS;
    default:
        return now_ms() + RETRY_MS;
    }
}

static void negotiate_done(struct job *job)
{
    struct negotiate_job *j = (struct negotiate_job *)job;
    struct edition *e = j->e;
    bool same_failure = e->ticket_result == j->result && strcmp(e->negotiate_why.text, j->why.text) == 0;
    e->negotiate_looked = ++e->who->k->tick;
    e->negotiate_state = PART_FAILED;
    e->negotiate_why = j->why;
    e->ticket_result = j->result;
    settle_attempt(e, j);
    if (j->acquire) {
        e->acquire = true;
        e->negotiate_state = e->bundle ? PART_READY : PART_UNKNOWN;
        free(e->realm);
        e->realm = mem_strdup(j->realm);
    } else {
        e->negotiate_retry = retry_after(j->result, j->bundle != NULL);
        if (j->result != TICKET_OK && !same_failure)
            log_info(NULL, "upstream %s: %s", e->who->name, j->why.text);
        if (j->bundle)
            take_bundle(e, j->bundle);
    }
    e->who->wake = true;
    edition_unref(e);
    secret_free(&j->password);
    secret_free(&j->nt_hash);
    account_free(&j->account);
    free(j->realm);
    free(j);
}

static void submit(struct edition *e, bool acquire)
{
    struct negotiate_job *j = mem_zero(sizeof *j);
    j->job.run = negotiate_run;
    j->job.done = negotiate_done;
    j->e = edition_ref(e);
    account_copy(&j->account, &e->account);
    j->own = !e->candidate; /* a trial must prove the password, not the ticket that lies about */
    j->may_acquire = e->guard != NULL;
    if (acquire) {
        j->realm = mem_strdup(e->realm);
        secret_set(&j->password, secret_reveal(&e->password));
        e->acquire = false;
    }
    if (secret_present(&e->nt_hash) && choose_allows(e->who->u, AUTH_NTLM) &&
        e->who->u->mutual != MUTUAL_REQUIRE)
        secret_set(&j->nt_hash, secret_reveal(&e->nt_hash));
    e->negotiate_state = PART_RUNNING;
    work_submit(&j->job);
}

/* The second half of a search that found no ticket: the password goes to the KDC, if the guard lets it. */
static enum ready acquire(struct edition *e, uint64_t since, struct err *why)
{
    bool wanted = e->wanted;
    enum ready r = edition_need_password(e, since, why);
    e->wanted = wanted; /* for this moment only */
    if (r != READY_YES)
        return r;
    switch (guard_begin(e->guard, e->who->name, SPAN(""), GUARD_ASIDE, now_ms(), &e->acquiring)) {
    case GUARD_GO:
        submit(e, true);
        return READY_WAIT;
    case GUARD_FROZEN:
        return READY_REFUSED;
    case GUARD_WAIT:
        return READY_WAIT;
    default:
        err_set(why, ERR_REFUSED, "the password of %s was shown several times without an answer",
                e->account.text);
        return READY_NO;
    }
}

static bool is_usable(const struct bundle *b)
{
    return b && (!b->ticket.cache || b->ticket.until > time(NULL) + TICKET_SECONDS);
}

static bool is_final(enum ticket_result r)
{
    return r == TICKET_PASSWORD_EXPIRED || r == TICKET_REVOKED;
}

static bool may_look(const struct edition *e, uint64_t since)
{
    return e->negotiate_state != PART_RUNNING && e->negotiate_looked < since &&
           now_ms() >= e->negotiate_retry;
}

enum ready edition_need_negotiate(struct edition *e, uint64_t since, struct err *why)
{
    bool usable = is_usable(e->bundle);
    enum ready r = READY_WAIT;
    if (e->rereading)
        return READY_WAIT;
    if (e->acquire)
        r = acquire(e, since, why);
    if (r == READY_REFUSED)
        return r;
    if (usable && !is_final(e->ticket_result)) {
        /* With NTLM alone we look for a ticket now and then, without making anybody wait for it. */
        if (!e->bundle->ticket.cache && !e->acquire && may_look(e, since))
            submit(e, false);
        return READY_YES;
    }
    if (e->acquire || e->negotiate_state == PART_RUNNING)
        return r;
    if (e->who->u->secret != SECRET_NONE && edition_need_secret(e, since, why) == READY_WAIT)
        return READY_WAIT;
    if (may_look(e, since) || (e->bundle && !usable && e->negotiate_state == PART_READY)) {
        submit(e, false);
        return READY_WAIT;
    }
    *why = e->negotiate_why;
    return is_final(e->ticket_result) ? READY_NEVER : READY_NO;
}

enum ready edition_look_for_ticket(struct edition *e, uint64_t since)
{
    bool without = !e->bundle || !e->bundle->ticket.cache;
    if (!choose_allows(e->who->u, AUTH_NEGOTIATE) ||
        !(is_frozen(e, e->ticket_guard) || (without && is_frozen(e, e->guard))))
        return READY_NO;
    if (e->negotiate_state != PART_RUNNING && e->negotiate_looked < since)
        submit(e, false);
    return e->negotiate_state == PART_RUNNING ? READY_WAIT : READY_NO;
}

bool edition_peek(struct edition *e, uint64_t since)
{
    const struct config_upstream *u = e->who->u;
    struct err why;
    if (!u || (u->secret == SECRET_COMMAND && e->secret_state == PART_UNKNOWN))
        return false;
    if (u->secret != SECRET_NONE && edition_need_secret(e, since, &why) == READY_WAIT)
        return true;
    if (choose_allows(u, AUTH_NEGOTIATE) && !e->acquire && !is_usable(e->bundle) && may_look(e, since))
        submit(e, false);
    return e->negotiate_state == PART_RUNNING;
}

void edition_doubt_ticket(struct edition *e)
{
    if (e->negotiate_state == PART_READY || e->negotiate_state == PART_FAILED) {
        e->negotiate_state = PART_UNKNOWN;
        e->negotiate_retry = 0;
        bundle_unref(e->bundle);
        e->bundle = NULL;
    }
}
