/*
 * The Kerberos side of an edition: the user's own ticket, one of a keytab, or one acquired with the password where the configuration says so; for the users of
 * a gateway the one that was handed on, or those that a keytab's service gets in their names;
 * and the SPNEGO credentials made of it and of the NT hash. Asking a KDC with a password is an attempt that the guard counts; it is made once
 * for all who wait, and by nobody while another attempt with the same password is unanswered. Main thread; the worker's half is
 * in negotiate_job.c, and when a ticket is renewed in renewal.c.
 */
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/log.h"
#include "keys/choose.h"
#include "keys/negotiate_job.h"
#include "keys/resident.h"
#include "keys/resident_part.h"

#define LOOK_AGAIN_MS 30000 /* for a ticket, while NTLM does without */
#define RETRY_MS      60000 /* after a KDC said no */
#define RETRY_KEY_MOST                                                                                       \
    3600000 /* to a key: twice as long each time, up to this: nobody types another one meanwhile */
#define UNREACHABLE_MS 2000 /* after none answered: the network may be back any moment */

static bool is_usable(const struct bundle *b)
{
    return b && (!b->ticket.cache || ticket_lasts(&b->ticket, time(NULL)));
}

static bool has_ticket(const struct edition *e)
{
    return is_usable(e->bundle) && e->bundle->ticket.cache;
}

static bool has_own_ticket(const struct edition *e)
{
    return has_ticket(e) && !e->bundle->ticket.private;
}

/* --- what a job found --- */

static struct guard *guard_of_ticket(const struct edition *e, const struct ticket *t)
{
    struct buf mark = {0};
    if (e->keytab_print) /* not the ticket's own time: each refused one could be followed by a new one for ever */
        buf_addf(&mark, "ticket of keytab %s", e->keytab_print);
    else if (t->private && !t->delegated)
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

/* What the old ticket's cache had, and the new one has again. */
static void take_services(struct edition *e, struct negotiate_job *j)
{
    struct list *it, *safe;
    list_each(it, safe, &e->who->hops)
    {
        struct hop *h = list_entry(it, struct hop, node);
        if (h->service_generation == e->generation && h->service_state == PART_READY)
            h->service_state = PART_UNKNOWN;
    }
    for (size_t i = 0; i < j->n_services; i++) {
        struct hop *h = j->services[i].hop;
        if (!j->services[i].name || h->service_generation != e->generation)
            continue;
        free(h->service_name);
        h->service_name = j->services[i].name;
        j->services[i].name = NULL;
        h->service_state = PART_READY;
    }
}

static void take_bundle(struct edition *e, struct negotiate_job *j)
{
    struct bundle *b = j->bundle;
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
    take_services(e, j);
    bundle_unref(e->bundle);
    e->bundle = b;
    e->negotiate_state = PART_READY;
    renewal_plan(e);
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

static int64_t retry_after(struct edition *e, const struct negotiate_job *j)
{
    int64_t pause = RETRY_MS;
    switch (j->result) {
    case TICKET_OK:
        e->refusals = 0;
        return 0;
    case TICKET_NONE:
        return j->bundle ? now_ms() + LOOK_AGAIN_MS : 0;
    case TICKET_UNREACHABLE:
        return now_ms() + UNREACHABLE_MS;
    default:
        for (unsigned i = 0; j->keytab && i < e->refusals && pause < RETRY_KEY_MOST; i++)
            pause *= 2;
        e->refusals++;
        return now_ms() + (pause < RETRY_KEY_MOST ? pause : RETRY_KEY_MOST);
    }
}

static void take_print(struct edition *e, struct negotiate_job *j)
{
    if (!j->print)
        return;
    if (!e->keytab_print || strcmp(e->keytab_print, j->print) != 0)
        e->refusals = 0;
    free(e->keytab_print);
    e->keytab_print = j->print;
    j->print = NULL;
}

/* The KDC or the caches have spoken. A ticket of ours that still lasts is kept, whatever they said about another one. */
static void take_result(struct edition *e, struct negotiate_job *j)
{
    bool same_failure = e->ticket_result == j->result && strcmp(e->negotiate_why.text, j->why.text) == 0;
    bool keep = j->result != TICKET_OK && has_ticket(e) && e->bundle->ticket.private;
    e->negotiate_why = j->why;
    e->ticket_result = j->result;
    e->not_allowed = j->result == TICKET_NOT_ALLOWED;
    take_print(e, j);
    e->negotiate_retry = retry_after(e, j);
    if (j->network != e->who->k->network)
        edition_retry(e);
    if (j->result != TICKET_OK && !same_failure && e->renewal.state != RENEWAL_DUE)
        log_info(NULL, "upstream %s: %s", e->who->name, j->why.text);
    if (keep) {
        e->negotiate_state = PART_READY;
        bundle_unref(j->bundle);
        renewal_failed(e, j->result, &j->why);
    } else if (j->bundle) {
        take_bundle(e, j);
    } else if (j->result == TICKET_NONE) { /* it was the user's own, and has been destroyed */
        bundle_unref(e->bundle);
        e->bundle = NULL;
    }
    j->bundle = NULL;
}

static void negotiate_done(struct job *job)
{
    struct negotiate_job *j = (struct negotiate_job *)job;
    struct edition *e = j->e;
    e->negotiate_looked = ++e->who->k->tick;
    settle_attempt(e, j);
    if (j->acquire) {
        e->acquire = true;
        e->negotiate_state = e->bundle ? PART_READY : PART_UNKNOWN;
        free(e->realm);
        e->realm = mem_strdup(j->realm);
    } else if (j->result == TICKET_SAME) {
        e->negotiate_state = e->bundle ? PART_READY : e->keytab_print ? PART_FAILED : PART_UNKNOWN;
    } else {
        e->negotiate_state = PART_FAILED;
        take_result(e, j);
    }
    e->who->wake = true;
    negotiate_job_free(j);
}

static void want_services(struct edition *e, struct negotiate_job *j)
{
    struct list *it, *safe;
    list_each(it, safe, &e->who->hops)
    {
        struct hop *h = list_entry(it, struct hop, node);
        if (h->service_generation != e->generation || h->service_state != PART_READY)
            continue;
        j->services = mem_grow(j->services, (j->n_services + 1) * sizeof *j->services);
        j->services[j->n_services++] = (struct wanted_service){.hop = h, .host = mem_strdup(h->host)};
    }
}

enum look {
    LOOK,    /* for whatever there is */
    RENEW,   /* the same, and what we got ourselves may be renewed */
    PEEK,    /* the same as LOOK, without a word to any KDC */
    ACQUIRE, /* with the password */
};

static void submit(struct edition *e, enum look look)
{
    const struct config_upstream *u = e->who->u;
    struct negotiate_job *j = mem_zero(sizeof *j);
    j->job.run = negotiate_run;
    j->job.done = negotiate_done;
    j->e = edition_ref(e);
    j->network = e->who->k->network;
    account_copy(&j->account, &e->account);
    j->resident = e->who->resident;
    j->own =
        !e->candidate && !e->who->guest; /* these must prove the password, not the ticket that lies about */
    j->may_acquire = u->kerberos == KERBEROS_ACQUIRE && e->guard != NULL;
    j->forwardable = u->delegate || (u->secret == SECRET_KEYTAB && residents_are_welcome(e->who->k->config));
    j->spn = mem_strdup(u->spn);
    j->canonicalize = u->canonicalize;
    if (j->resident) {
        resident_give(e, j);
    } else if (u->secret == SECRET_KEYTAB) {
        j->keytab = mem_strdup(u->secret_argument);
        j->look_only = look == PEEK;
        if (now_ms() < e->negotiate_retry || is_frozen(e, e->ticket_guard))
            j->refused = mem_strdup(e->keytab_print);
    }
    if (look == ACQUIRE) {
        j->realm = mem_strdup(e->realm);
        secret_set(&j->password, secret_reveal(&e->password));
        e->acquire = false;
    } else if (look == RENEW && e->bundle->ticket.private && e->bundle->ticket.renew_until > time(NULL)) {
        j->old = bundle_ref(e->bundle);
    }
    if (look == PEEK && has_own_ticket(e))
        j->seen = bundle_ref(e->bundle);
    else if (has_ticket(e))
        want_services(e, j);
    if (secret_present(&e->nt_hash) && choose_allows(u, AUTH_NTLM) && u->mutual != MUTUAL_REQUIRE)
        secret_set(&j->nt_hash, secret_reveal(&e->nt_hash));
    e->negotiate_state = PART_RUNNING;
    work_submit(&j->job);
}

/* --- who needs it --- */

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
        submit(e, ACQUIRE);
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

static bool is_final(enum ticket_result r)
{
    return r == TICKET_PASSWORD_EXPIRED || r == TICKET_REVOKED;
}

/* A keytab may be replaced at any moment, and looking at it costs nobody anything: its own pause is kept by the worker. */
static bool may_look(const struct edition *e, uint64_t since)
{
    return e->negotiate_state != PART_RUNNING && e->negotiate_looked < since &&
           (now_ms() >= e->negotiate_retry || (e->who->u->secret == SECRET_KEYTAB && !e->who->resident));
}

static enum ready without_ticket(struct edition *e, uint64_t since, struct err *why)
{
    const struct config_upstream *u = e->who->u;
    bool stale = e->bundle && e->negotiate_state == PART_READY && !is_usable(e->bundle);
    enum ready r = e->acquire ? acquire(e, since, why) : READY_WAIT;
    if (r == READY_REFUSED || e->acquire || e->negotiate_state == PART_RUNNING)
        return r;
    bool password = u->secret != SECRET_NONE && u->secret != SECRET_KEYTAB;
    if (password && edition_need_secret(e, since, why) == READY_WAIT)
        return READY_WAIT;
    if (e->who->resident && u->secret == SECRET_KEYTAB && !resident_is_handed(e->who)) {
        r = resident_need_service(e->who, since, why);
        if (r != READY_YES)
            return r;
    }
    if (may_look(e, since) || (stale && e->negotiate_looked < since)) {
        submit(e, LOOK);
        return READY_WAIT;
    }
    *why = e->negotiate_why;
    return is_final(e->ticket_result) ? READY_NEVER : READY_NO;
}

enum ready edition_need_negotiate(struct edition *e, uint64_t since, struct err *why)
{
    struct err ignored;
    if (e->rereading)
        return READY_WAIT;
    if (has_ticket(e)) {
        renewal_use(e);
        return READY_YES;
    }
    if (!is_usable(e->bundle) || is_final(e->ticket_result))
        return without_ticket(e, since, why);
    /* With NTLM alone we look for a ticket now and then, without making anybody wait for it. */
    if (e->acquire)
        return acquire(e, since, &ignored) == READY_REFUSED ? READY_REFUSED : READY_YES;
    if (may_look(e, since))
        submit(e, LOOK);
    return READY_YES;
}

void edition_renew(struct edition *e)
{
    if (e->negotiate_state != PART_RUNNING)
        submit(e, RENEW);
}

void edition_renew_further(struct edition *e)
{
    struct err why = {0};
    if (!e->acquire || e->negotiate_state == PART_RUNNING || !has_ticket(e))
        return;
    enum ready r = acquire(e, e->renewal.since, &why);
    if (r == READY_WAIT)
        return;
    e->acquire = false;
    if (r == READY_REFUSED)
        err_set(&why, ERR_REFUSED, "the password was refused");
    renewal_failed(e, r == READY_REFUSED ? TICKET_WRONG_PASSWORD : TICKET_UNREACHABLE, &why);
}

enum ready edition_look_for_ticket(struct edition *e, uint64_t since)
{
    bool without = !e->bundle || !e->bundle->ticket.cache;
    if (!choose_allows(e->who->u, AUTH_NEGOTIATE) ||
        !(is_frozen(e, e->ticket_guard) || (without && is_frozen(e, e->guard))))
        return READY_NO;
    if (e->negotiate_state != PART_RUNNING && e->negotiate_looked < since)
        submit(e, LOOK);
    return e->negotiate_state == PART_RUNNING ? READY_WAIT : READY_NO;
}

bool edition_peek(struct edition *e, uint64_t since)
{
    const struct config_upstream *u = e->who->u;
    struct err why;
    if (!u || (u->secret == SECRET_COMMAND && e->secret_state == PART_UNKNOWN))
        return false;
    bool password = u->secret != SECRET_NONE && u->secret != SECRET_KEYTAB;
    if (password && edition_need_secret(e, since, &why) == READY_WAIT)
        return true;
    bool look = has_own_ticket(e) ? e->negotiate_state == PART_READY && e->negotiate_looked < since
                                  : !is_usable(e->bundle) && may_look(e, since);
    bool acts =
        e->who->resident && u->secret == SECRET_KEYTAB && !resident_is_handed(e->who); /* which asks a KDC */
    if (choose_allows(u, AUTH_NEGOTIATE) && !e->acquire && look && !acts)
        submit(e, PEEK);
    return e->negotiate_state == PART_RUNNING;
}

void edition_retry(struct edition *e)
{
    if (!e->keytab_print || e->refusals == 0) /* a KDC that refused a key refuses it in any network */
        e->negotiate_retry = 0;
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
