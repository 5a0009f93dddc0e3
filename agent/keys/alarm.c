/*
 * Judges an offer by the floor and by the configuration: what auth = does not allow cannot be missed, so that whoever chose a weaker list
 * hears no alarm. Whether a strong scheme that is offered can be used just now (a ticket may be missing) makes no difference here. Main thread.
 */
#include "keys/alarm.h"

#include "base/buf.h"
#include "base/log.h"
#include "keys/choose.h"
#include "keys/scheme.h"
#include "keys/words.h"

static enum floor_level needed(const struct identity *who, const struct hop *h, unsigned allowed)
{
    return floor_held(floors_needed(&who->k->floors, who->name, h->text), allowed);
}

/* What it offers, for people: not what it offers besides and auth = does not allow, where that would be good enough. */
static void describe_offer(const struct identity *who, const struct hop *h, unsigned allowed, struct buf *out)
{
    const struct floor_row *strongest = floors_find(&who->k->floors, FLOOR_STRONGEST, who->name, h->text);
    enum floor_level best = floor_of_schemes(h->offered & allowed, h->digest_level);
    if (best == FLOOR_DIGEST && needed(who, h, allowed) == FLOOR_DIGEST_SHA2) {
        buf_add_str(out, "Digest with MD5");
    } else if (strongest && floor_of_schemes(h->offered, h->digest_level) >= strongest->level) {
        for (unsigned s = 0; s < AUTH_SCHEMES; s++)
            if (h->offered & allowed & SCHEME_BIT(s))
                buf_addf(out, "%s%s", out->n ? ", " : "", schemes[s].name);
        buf_add_str(out, " of what auth = allows");
    } else {
        buf_add_str(out, h->offer_text);
    }
}

/* The alarm of this proxy, unless the configuration has made it pointless since. */
static const struct floor_row *pending(const struct identity *who, const struct hop *h)
{
    const struct floor_row *alarm = floors_find(&who->k->floors, FLOOR_ALARM, who->name, h->text);
    unsigned allowed = choose_allowed(who->u, span_str(h->host), h->port);
    return alarm && alarm->level < needed(who, h, allowed) ? alarm : NULL;
}

/* The configuration names nothing of it any more, and the proxy offers as much as ever: that is not the proxy's doing. */
static bool is_our_own_choice(const struct identity *who, const struct hop *h, enum floor_level best)
{
    const struct floor_row *strongest = floors_find(&who->k->floors, FLOOR_STRONGEST, who->name, h->text);
    return best == FLOOR_NONE && strongest &&
           floor_of_schemes(h->offered, h->digest_level) >= strongest->level;
}

bool alarm_rings(struct identity *who, const struct hop *h)
{
    if (!h->known) /* it has offered nothing since we were started; what rang before that still does */
        return pending(who, h) != NULL;
    struct floors *f = &who->k->floors;
    unsigned allowed = choose_allowed(who->u, span_str(h->host), h->port);
    enum floor_level best = floor_of_schemes(h->offered & allowed, h->digest_level);
    if (best >= needed(who, h, allowed) || is_our_own_choice(who, h, best)) {
        floors_calm(f, who->name, h->text);
        return false;
    }
    struct buf offer = {0}, why = {0}, remedy = {0};
    describe_offer(who, h, allowed, &offer);
    if (floors_ring(f, who->name, h->text, best, buf_cstr(&offer))) {
        alarm_describe(who, h, &why, &remedy);
        log_warning(NULL, "upstream %s: %s %s", who->name, buf_cstr(&why), buf_cstr(&remedy));
    }
    buf_free(&offer);
    buf_free(&why);
    buf_free(&remedy);
    return true;
}

bool alarm_would_ring(const struct identity *who, const struct hop *h, unsigned offered,
                      enum floor_level digest_level)
{
    struct hop seen = *h;
    unsigned allowed = choose_allowed(who->u, span_str(h->host), h->port);
    enum floor_level best = floor_of_schemes(offered & allowed, digest_level);
    seen.offered = offered;
    seen.digest_level = digest_level;
    return best < needed(who, h, allowed) && !is_our_own_choice(who, &seen, best);
}

void alarm_describe(const struct identity *who, const struct hop *h, struct buf *why, struct buf *remedy)
{
    const struct floor_row *strongest = floors_find(&who->k->floors, FLOOR_STRONGEST, who->name, h->text);
    const struct floor_row *alarm = floors_find(&who->k->floors, FLOOR_ALARM, who->name, h->text);
    if (strongest && alarm)
        words_downgraded(who, strongest, alarm, why, remedy);
}

/* The next proxy that the configuration names, after `before` (NULL: from the first on): all of proxy, and those of hosts that have been met. */
static struct hop *next_hop(struct identity *who, const struct hop *before)
{
    for (size_t i = 0; !before && i < who->u->n_proxies; i++)
        identity_hop(who, span_str(who->u->proxies[i].host), who->u->proxies[i].port);
    struct list *it = before ? before->node.next : who->hops.next;
    for (; it != &who->hops; it = it->next)
        if (identity_names(who, list_entry(it, struct hop, node)))
            return list_entry(it, struct hop, node);
    return NULL;
}

const struct hop *alarm_pending(struct identity *who)
{
    const struct hop *h = NULL;
    while (who->u && (h = next_hop(who, h)) != NULL)
        if (pending(who, h))
            return h;
    return NULL;
}

static void answer(struct keyholder *k, uint32_t peer, uint32_t call, enum keys_verdict verdict,
                   struct span why)
{
    serve_send(k, peer,
               &(struct keys_msg){.type = KEYS_ANSWER, .call = call, .verdict = verdict, .why = why});
}

void alarm_accept(struct keyholder *k, uint32_t peer, const struct keys_msg *m)
{
    struct identity *who = identity_named(k, m->upstream);
    struct buf why = {0};
    if (!who || !who->u) {
        answer(k, peer, m->call, KEYS_UNAVAILABLE, SPAN("The configuration has no such upstream."));
        return;
    }
    const struct hop *h = NULL;
    while ((h = next_hop(who, h)) != NULL) {
        const struct floor_row *alarm = pending(who, h);
        if (!alarm)
            continue;
        log_info(NULL, "upstream %s, %s: the offer of only %s was accepted by hand", who->name, h->text,
                 alarm->offer);
        buf_addf(&why, "%sThe proxy %s may offer only %s from now on.", why.n ? " " : "", h->text,
                 alarm->offer);
        floors_accept(&k->floors, who->name, h->text);
    }
    if (!why.n)
        buf_addf(&why,
                 "There is nothing to accept: no proxy of upstream %s offers less than it accepted before.",
                 who->name);
    answer(k, peer, m->call, KEYS_OK, buf_span(&why));
    buf_free(&why);
}

void alarm_learn(struct identity *who, const struct hop *h, enum floor_level level)
{
    floors_learn(&who->k->floors, who->name, h->text, level);
}
