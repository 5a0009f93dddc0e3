/*
 * A gateway's user has no key that we know. Either there is a ticket that the user's program handed on, or the service of the upstream's keytab acts: its own ticket is
 * the configured identity's, which gets and renews it, and waits after a refusal, for all of them.
 */
#include "keys/resident_part.h"

#include "keys/resident.h"

bool resident_is_handed(const struct identity *who)
{
    const struct handed *h = who->resident ? resident_handed(who) : NULL;
    return h && handed_ticket(h);
}

enum ready resident_need_service(struct identity *who, uint64_t since, struct err *why)
{
    struct identity *host = resident_host(who);
    if (!host) {
        err_set(why, ERR_CONFIG, "the upstream %s is gone from the configuration", who->name);
        return READY_NO;
    }
    struct edition *own = host->current;
    enum ready r = edition_need_negotiate(own, since, why);
    if (r == READY_YES && !own->bundle->forwardable) { /* from before the configuration acted for users */
        edition_doubt_ticket(own);
        r = edition_need_negotiate(own, since, why);
    }
    return r;
}

void resident_give(struct edition *e, struct negotiate_job *j)
{
    struct identity *host = resident_host(e->who);
    struct bundle *b = host && e->who->u->secret == SECRET_KEYTAB ? host->current->bundle : NULL;
    j->handed = handed_ref(resident_handed(e->who));
    if (!b || !b->ticket.cache || !host->current->keytab_print)
        return;
    j->service = bundle_ref(b);
    j->print = mem_strdup(host->current->keytab_print);
}
