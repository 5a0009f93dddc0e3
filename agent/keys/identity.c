/*
 * The table of identities: one for each [upstream] section, for as long as the process lives (contexts point at them), and guests (guest.c);
 * the proxies of each, with what was learned of them; and who runs again when there is news. Main thread.
 */
#include "keys/identity.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "keys/context.h"
#include "keys/guest.h"
#include "keys/login.h"

#define FOUND_MOST 1024 /* proxies of one identity that are met by `hosts`: they are remembered for good */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void hop_free(struct hop *h)
{
    list_remove(&h->node);
    free(h->host);
    free(h->text);
    free(h->offer_text);
    free(h->in_vain_site);
    free(h->service_name);
    digest_free(h->digest);
    free(h);
}

struct identity *identity_new(struct keyholder *k, const char *name)
{
    struct identity *who = mem_zero(sizeof *who);
    who->k = k;
    who->name = mem_strdup(name);
    list_init(&who->hops);
    list_init(&who->waiting);
    list_push_back(&k->identities, &who->node);
    return who;
}

static void read_user(struct identity *who)
{
    const char *why;
    account_free(&who->account);
    if (!identity_account(who->u, span_str(who->u->user), &who->account, &why))
        log_warning(NULL, "upstream %s: user = %s: %s", who->name, who->u->user, why);
}

bool identity_account(const struct config_upstream *u, struct span text, struct account *a, const char **why)
{
    const char *ignored;
    if (account_parse(a, text, why)) {
        account_default_domain(a, u ? u->domain : NULL);
        return true;
    }
    account_parse(a, SPAN(""), &ignored);
    return false;
}

static bool same_auth(const struct config_upstream *a, const struct config_upstream *b)
{
    return a->n_auth == b->n_auth && memcmp(a->auth, b->auth, a->n_auth * sizeof a->auth[0]) == 0;
}

bool identity_same_section(const struct config_upstream *old, const struct config_upstream *u)
{
    return same_text(old->user, u->user) && old->secret == u->secret &&
           same_text(old->secret_argument, u->secret_argument) && same_text(old->spn, u->spn) &&
           old->mutual == u->mutual && same_auth(old, u) && old->basic_in_clear == u->basic_in_clear &&
           old->kerberos == u->kerberos && old->canonicalize == u->canonicalize &&
           old->delegate == u->delegate && same_text(old->domain, u->domain) &&
           same_text(old->workstation, u->workstation);
}

/* Takes the section over. true: it makes us somebody else, or gets the secret from elsewhere. */
static bool adopt(struct identity *who, struct config *config, const struct config_upstream *u)
{
    bool changed = !who->u || !identity_same_section(who->u, u);
    struct config *before = who->config;
    who->config = config_ref(config);
    who->u = u;
    config_unref(before);
    if (changed)
        read_user(who);
    return changed;
}

static void forget_missing(struct keyholder *k)
{
    struct list *it, *safe;
    list_each(it, safe, &k->identities)
    {
        struct identity *who = list_entry(it, struct identity, node);
        if (who->u && who->config != k->config && !who->guest) {
            who->u = NULL;
            login_overtaken(who);
            identity_put(who, edition_new(who));
        }
    }
}

void identities_sync(struct keyholder *k)
{
    for (size_t i = 0; i < k->config->n_upstreams; i++) {
        const struct config_upstream *u = &k->config->upstreams[i];
        struct identity *who = identity_named(k, span_str(u->name));
        if (!who)
            who = identity_new(k, u->name);
        if (adopt(who, k->config, u)) {
            login_overtaken(who);
            identity_put(who, edition_new(who));
        } else {
            edition_reread(who->current);
        }
        who->wake = true;
    }
    forget_missing(k);
    guests_sync(k);
}

void identity_free(struct identity *who)
{
    list_remove(&who->node);
    edition_unref(who->current);
    edition_unref(who->candidate);
    while (!list_empty(&who->hops))
        hop_free(list_entry(who->hops.next, struct hop, node));
    account_free(&who->account);
    config_unref(who->config);
    guest_free(who->guest);
    free(who->name);
    free(who);
}

void identities_free(struct keyholder *k)
{
    while (!list_empty(&k->identities))
        identity_free(list_entry(k->identities.next, struct identity, node));
}

struct identity *identity_named(struct keyholder *k, struct span name)
{
    struct list *it, *safe;
    list_each(it, safe, &k->identities)
    {
        struct identity *who = list_entry(it, struct identity, node);
        if (!who->guest && span_eq(span_str(who->name), name))
            return who;
    }
    return NULL;
}

static bool is_configured(const struct config_upstream *u, struct span host, uint32_t port)
{
    return u && port <= 65535 && config_upstream_meets(u, host, (uint16_t)port);
}

struct hop *identity_hop(struct identity *who, struct span host, uint32_t port)
{
    struct list *it, *safe;
    if (!is_configured(who->u, host, port))
        return NULL;
    list_each(it, safe, &who->hops)
    {
        struct hop *h = list_entry(it, struct hop, node);
        if (h->port == port && span_ieq(span_str(h->host), host))
            return h;
    }
    if (!config_upstream_has(who->u, host, (uint16_t)port) && who->n_found++ >= FOUND_MOST)
        return NULL; /* hosts = .suffix, and a PAC script that never stops inventing names */
    struct hop *h = mem_zero(sizeof *h);
    struct buf text = {0};
    bool literal = span_find(host, ':') < host.n;
    buf_addf(&text, literal ? "[%.*s]:%u" : "%.*s:%u", SPAN_ARG(host), port);
    h->text = span_dup(buf_span(&text));
    buf_free(&text);
    h->host = span_dup(host);
    h->port = port;
    h->digest = digest_new();
    list_push_back(&who->hops, &h->node);
    return h;
}

bool identity_names(const struct identity *who, const struct hop *h)
{
    return is_configured(who->u, span_str(h->host), h->port);
}

const char *identity_text(const struct edition *e)
{
    if (e->account.form != ACCOUNT_NONE)
        return e->account.text;
    return e->bundle && e->bundle->ticket.principal ? e->bundle->ticket.principal : "";
}

const char *identity_known_as(const struct edition *e)
{
    return e->who->resident ? e->account.qualified : identity_text(e);
}

void identity_follow(struct identity *who, struct edition *e)
{
    struct edition *old = who->current;
    who->current = e;
    who->wake = true;
    edition_unref(old);
}

void identity_put(struct identity *who, struct edition *e)
{
    bool first = !who->current;
    identity_follow(who, e);
    if (first || who->visitor) /* the agent knows a visitor by its secret, which is what it was */
        return;
    log_info(NULL, "upstream %s: generation %u of %s", who->name, e->generation,
             *identity_text(e) ? identity_text(e) : "the user's own identity");
    serve_send(who->k, PEER_AGENT,
               &(struct keys_msg){.type = KEYS_EVENT_GENERATION,
                                  .upstream = span_str(who->name),
                                  .generation = e->generation,
                                  .flags = who->resident ? KEYS_GUEST : 0,
                                  .identity = span_str(identity_known_as(e))});
}

static bool uses(const struct edition *e, const struct guard *g)
{
    return e && (e->guard == g || e->ticket_guard == g);
}

void identities_wake_guard(struct keyholder *k, const struct guard *g)
{
    struct list *it, *safe;
    list_each(it, safe, &k->identities)
    {
        struct identity *who = list_entry(it, struct identity, node);
        who->wake = who->wake || uses(who->current, g) || uses(who->candidate, g);
    }
}

void identities_retry(struct keyholder *k)
{
    struct list *it, *safe, *h, *h_safe;
    list_each(it, safe, &k->identities)
    {
        struct identity *who = list_entry(it, struct identity, node);
        edition_retry(who->current);
        if (who->candidate)
            edition_retry(who->candidate);
        list_each(h, h_safe, &who->hops) list_entry(h, struct hop, node)->service_retry = 0;
    }
}

/* Residents may wait for what their host's keytab gives. */
static void wake_residents(const struct identity *host)
{
    struct list *it, *safe;
    list_each(it, safe, &host->k->identities)
    {
        struct identity *who = list_entry(it, struct identity, node);
        who->wake =
            who->wake || (who->resident && !list_empty(&who->waiting) && strcmp(who->name, host->name) == 0);
    }
}

static bool run_waiting(struct identity *who)
{
    if (!who->wake)
        return false;
    who->wake = false;
    if (!who->guest && who->u && who->u->secret == SECRET_KEYTAB)
        wake_residents(who);
    renewal_go_on(who->current);
    struct list now;
    list_init(&now);
    while (!list_empty(&who->waiting)) {
        struct list *first = who->waiting.next;
        list_remove(first);
        list_push_back(&now, first);
    }
    while (!list_empty(&now)) {
        struct list *first = now.next;
        list_remove(first);
        context_run_again(first);
    }
    return true;
}

void identities_run(struct keyholder *k)
{
    struct list *it, *safe;
    for (bool moved = true; moved;) {
        moved = false;
        list_each(it, safe, &k->identities) moved =
            run_waiting(list_entry(it, struct identity, node)) || moved;
    }
    list_each(it, safe, &k->identities)
    {
        struct identity *who = list_entry(it, struct identity, node);
        if (list_empty(&who->waiting))
            edition_tidy(who->current);
    }
}
