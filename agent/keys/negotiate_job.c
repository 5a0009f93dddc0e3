/*
 * Finds, acquires or renews the ticket, and makes the SPNEGO credentials of it and of the NT hash. negotiate_run is a worker's, which touches its
 * job alone; the rest is the main thread's.
 */
#include "keys/negotiate_job.h"

#include <stdlib.h>

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
    bundle_unref(b->service);
    free(b);
}

/* Credentials of what there is; a bundle with none is given back. */
static void make_credentials(struct negotiate_job *j, struct ticket *ticket)
{
    struct bundle *b = mem_zero(sizeof *b);
    b->refs = 1;
    b->ticket = *ticket;
    b->forwardable = j->forwardable;
    if (ticket->acting) {
        b->service = j->service; /* the reference goes with it */
        j->service = NULL;
    }
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
            .mech = GSS_MECH_SPNEGO, .name = j->account.qualified, .nt_hash = &j->nt_hash};
        b->ntlm_only = gss_cred_new(&ntlm, b->full ? NULL : &j->why);
    }
    if (b->full || b->ntlm_only)
        j->bundle = b;
    else
        bundle_unref(b);
}

/* The user's own ticket, else ours renewed. false: there is none, but the realm where a password may get one is known now. */
static bool find(struct negotiate_job *j, struct ticket *ticket)
{
    if (j->own)
        j->result = ticket_find(&j->account, ticket, &j->why);
    if (j->seen)
        return true;
    if (j->result != TICKET_OK && j->old)
        j->result = ticket_renew(&j->old->ticket, ticket, &j->why);
    if (j->resident && !j->may_acquire)
        err_set(&j->why, ERR_NONE, "no Kerberos ticket of %s was handed on", j->account.text);
    else if (!j->own && !j->may_acquire)
        err_set(&j->why, ERR_CONFIG, "a password gets no Kerberos ticket here (kerberos = find)");
    if (j->result != TICKET_OK && j->result != TICKET_UNREACHABLE && j->may_acquire)
        j->realm = ticket_realm(&j->account, &j->why);
    return j->result == TICKET_OK || !j->realm;
}

/* The one that we have is still what there is; or there is none just now, as while kinit writes another. */
static bool is_seen(struct negotiate_job *j, struct ticket *ticket)
{
    const struct ticket *old = &j->seen->ticket;
    if (j->result == TICKET_OK && ticket->cache &&
        (ticket->until != old->until || strcmp(ticket->cache, old->cache) != 0 ||
         strcmp(ticket->principal, old->principal) != 0))
        return false;
    ticket_free(ticket);
    j->result = TICKET_SAME;
    return true;
}

/* The KDC's clock and ours do not agree on what has just come: asking again would bring the same. */
static void check_lasts(struct negotiate_job *j, struct ticket *ticket)
{
    if (j->result != TICKET_OK || ticket_lasts(ticket, time(NULL)))
        return;
    j->result = TICKET_CLOCK_SKEW;
    err_set(&j->why, ERR_SYSTEM,
            "the Kerberos ticket of %s is new and has ended already: is the clock of this computer right?",
            ticket->principal);
    ticket_free(ticket);
}

static void fetch_services(struct negotiate_job *j, const struct ticket *ticket)
{
    for (size_t i = 0; i < j->n_services && ticket->cache; i++) {
        struct service s = {j->services[i].host, j->spn, j->canonicalize};
        struct err ignored;
        ticket_service(ticket, &s, &j->services[i].name, &ignored);
    }
}

/* The realm of the service that acts, where the user's domain is that one by its name; else as for a password. */
static char *realm_of_user(struct negotiate_job *j)
{
    struct span service = span_str(j->service->ticket.principal);
    struct span realm = span_from(service, span_rfind(service, '@') + 1),
                domain = span_str(j->account.domain);
    bool same = span_ieq(realm, domain) || (j->account.form == ACCOUNT_DOWN_LEVEL &&
                                            span_ieq(span_head(realm, span_find(realm, '.')), domain));
    return same ? span_dup(realm) : ticket_realm(&j->account, &j->why);
}

/* Also where the upstream adds a domain: that is the one of passwords, and says nothing of whom the directory calls so. */
static bool is_bare(const struct account *a)
{
    struct span name = span_str(a->text);
    return span_find(name, '\\') == name.n && span_find(name, '@') == name.n;
}

/* Another's ticket for this user. */
static void act(struct negotiate_job *j, struct ticket *ticket)
{
    struct act_ask ask = {.service = &j->service->ticket, .who = &j->account};
    struct span evidence = j->handed ? handed_evidence(j->handed) : SPAN("");
    char *realm = NULL;
    if (evidence.n) {
        ask.evidence = evidence;
        ask.principal = handed_principal(j->handed);
        ask.until = handed_until(j->handed);
    } else if (is_bare(&j->account)) {
        /* It may be anybody's in the realm: the gateway's users are not the directory's. */
        err_set(&j->why, ERR_CONFIG,
                "whose account of the directory %s is cannot be told: set domain for the gateway",
                j->account.text);
        return;
    } else if (!(realm = realm_of_user(j))) {
        return;
    }
    ask.realm = realm;
    j->result = ticket_act(&ask, ticket, &j->why);
    free(realm);
}

void negotiate_run(struct job *job)
{
    struct negotiate_job *j = (struct negotiate_job *)job;
    struct ticket ticket = {0};
    j->result = TICKET_NONE;
    if (j->realm) {
        j->result = ticket_acquire(&j->account, j->realm, &j->password, j->forwardable, &ticket, &j->why);
    } else if (j->handed && handed_ticket(j->handed)) {
        j->result = ticket_delegated(handed_ticket(j->handed), &ticket, &j->why);
    } else if (j->service) {
        act(j, &ticket);
    } else if (j->keytab) {
        struct keytab_ask ask = {&j->account, j->keytab, j->forwardable, j->look_only, j->refused};
        j->result = ticket_from_keytab(&ask, &ticket, &j->print, &j->why);
    } else if (!find(j, &ticket)) {
        j->acquire = true;
        return;
    }
    if (j->seen && is_seen(j, &ticket))
        return;
    check_lasts(j, &ticket);
    fetch_services(j, &ticket);
    make_credentials(j, &ticket);
}

void negotiate_job_free(struct negotiate_job *j)
{
    for (size_t i = 0; i < j->n_services; i++) {
        free(j->services[i].host);
        free(j->services[i].name);
    }
    free(j->services);
    handed_unref(j->handed);
    bundle_unref(j->service);
    bundle_unref(j->old);
    bundle_unref(j->seen);
    edition_unref(j->e);
    secret_free(&j->password);
    secret_free(&j->nt_hash);
    account_free(&j->account);
    free(j->keytab);
    free(j->refused);
    free(j->print);
    free(j->spn);
    free(j->realm);
    free(j);
}
