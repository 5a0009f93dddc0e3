/*
 * What a search for a ticket found becomes the edition's: a ticket better than the one before, or the reason why there is none and when to look again; what a KDC says
 * about the password settles the attempt. A ticket of ours that still lasts is kept, whatever becomes of the search for another one. Main thread.
 */
#include "keys/negotiate_found.h"

#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/log.h"

#define LOOK_AGAIN_MS 30000 /* for a ticket, while NTLM does without */
#define RETRY_MS      60000 /* after a KDC said no */
#define RETRY_KEY_MOST                                                                                       \
    3600000 /* to a key: twice as long each time, up to this: nobody types another one meanwhile */
#define UNREACHABLE_MS 2000 /* after none answered: the network may be back any moment */

bool found_is_usable(const struct bundle *b)
{
    return b && (!b->ticket.cache || ticket_lasts(&b->ticket, time(NULL)));
}

bool found_has_ticket(const struct edition *e)
{
    return found_is_usable(e->bundle) && e->bundle->ticket.cache;
}

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

bool found_is_frozen(const struct edition *e, const struct guard *g)
{
    return g && guard_look(g, e->who->name, SPAN(""), now_ms()) == GUARD_FROZEN;
}

/* Another ticket than the one that was refused, or another person's: a new generation. */
static bool is_news(const struct edition *e, const struct guard *fresh)
{
    const struct guard *old = e->ticket_guard;
    if (!old || old == fresh || e != e->who->current)
        return false;
    return found_is_frozen(e, old) || strcmp(old->account, fresh->account) != 0;
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
    bool keep = j->result != TICKET_OK && found_has_ticket(e) && e->bundle->ticket.private;
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

void found_done(struct job *job)
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
