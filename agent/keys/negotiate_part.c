/*
 * The Kerberos side of an edition: the user's own ticket, one of a keytab, or one acquired with the password where the configuration says so; for the users of
 * a gateway the one that was handed on, or those that a keytab's service gets in their names;
 * and the SPNEGO credentials made of it and of the NT hash. Asking a KDC with a password is an attempt that the guard counts; it is made once
 * for all who wait, and by nobody while another attempt with the same password is unanswered. Main thread; the worker's half is
 * in negotiate_job.c, what becomes of what it found in negotiate_found.c, and when a ticket is renewed in renewal.c.
 */
#include <stdlib.h>
#include <time.h>

#include "keys/choose.h"
#include "keys/negotiate_found.h"
#include "keys/resident.h"
#include "keys/resident_part.h"

static bool has_own_ticket(const struct edition *e)
{
    return found_has_ticket(e) && !e->bundle->ticket.private;
}

/* --- looking --- */

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
    j->job.done = found_done;
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
        if (now_ms() < e->negotiate_retry || found_is_frozen(e, e->ticket_guard))
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
    else if (found_has_ticket(e))
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
    bool stale = e->bundle && e->negotiate_state == PART_READY && !found_is_usable(e->bundle);
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
    if (found_has_ticket(e)) {
        renewal_use(e);
        return READY_YES;
    }
    if (!found_is_usable(e->bundle) || is_final(e->ticket_result))
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
    if (!e->acquire || e->negotiate_state == PART_RUNNING || !found_has_ticket(e))
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
        !(found_is_frozen(e, e->ticket_guard) || (without && found_is_frozen(e, e->guard))))
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
                                  : !found_is_usable(e->bundle) && may_look(e, since);
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
