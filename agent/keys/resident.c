/*
 * A resident's section is its host's as it stands: the provider is asked for this user's secret alone (provider.h), and the keytab is the service's that
 * acts (negotiate_part.c).
 */
#include "keys/resident.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"

#define BETTER_SECONDS 60 /* a ticket that lasts so much longer is worth to begin anew with */

struct resident {
    struct guest g; /* first */
    struct handed *handed;
};

static void resident_free(struct guest *g)
{
    struct resident *r = (struct resident *)g;
    handed_unref(r->handed);
    free(r);
}

static struct config_upstream section_of(const struct config_upstream *host)
{
    return *host;
}

static bool acts_for_users(const struct config_gateway *g)
{
    return g->n_listen && g->identity == GATEWAY_IDENTITY_PER_USER;
}

bool residents_are_welcome(const struct config *c)
{
    for (size_t i = 0; i < c->n_gateways; i++)
        if (acts_for_users(&c->gateways[i]))
            return true;
    return false;
}

/* The domains of the gateways that act for users, each once. false: one has none, and a name there is what was typed. */
static bool find_domains(const struct config *c, const char **domains, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < c->n_gateways; i++) {
        const char *domain = c->gateways[i].domain;
        size_t seen = 0;
        if (!acts_for_users(&c->gateways[i]))
            continue;
        if (!domain || !*domain)
            return false;
        while (seen < *n && strcmp(domains[seen], domain) != 0)
            seen++;
        domains[seen] = domain;
        *n += seen == *n;
    }
    return *n > 0;
}

/* The way that a gateway writes the domain of a name in full. NULL: no gateway has it. */
static const char *spelling_of(struct span domain, const char *const *domains, size_t n)
{
    const char *found = NULL;
    for (size_t i = 0; i < n; i++)
        if (span_eq(domain, span_str(domains[i])) || (!found && span_ieq(domain, span_str(domains[i]))))
            found = domains[i];
    return found;
}

/* As a gateway of this domain would say it. NULL: it is no name. */
static char *said_in(const char *domain, struct span typed, bool bare)
{
    struct buf text = {0};
    if (bare && domain)
        buf_addf(&text, "%s\\", domain);
    buf_add_span(&text, typed);
    char *spelt = span_dup(buf_span(&text));
    buf_free(&text);
    char *account = inbound_account(domain, spelt, false, false);
    free(spelt);
    return account;
}

char *residents_account(const struct config *c, struct span typed, struct buf *choices)
{
    size_t n, slash = span_find(typed, '\\');
    bool bare = slash == typed.n && span_find(typed, '@') == typed.n;
    const char **domains = mem_zero((c->n_gateways + 1) * sizeof *domains);
    const char *domain = NULL;
    if (find_domains(c, domains, &n))
        domain = bare ? domains[0] : spelling_of(span_head(typed, slash), domains, n);
    else
        n = 0;
    char *account = said_in(domain, typed, bare);
    for (size_t i = 0; bare && account && n > 1 && i < n; i++)
        buf_addf(choices, "%s%s\\%.*s", i ? " or " : "", domains[i], SPAN_ARG(typed));
    free(domains);
    return account ? account : mem_strdup("");
}

static bool is_welcome(const struct identity *host)
{
    return residents_are_welcome(host->k->config);
}

static const struct guest_kind residents = {RESIDENTS_MAX, is_welcome, section_of, resident_free};

/* By all of the name as it came in: a user's domain is part of it, and the one that the upstream adds to a bare name makes nobody the directory's user. */
static bool is_it(const struct identity *who, const void *mark)
{
    const struct account *account = mark;
    return strcmp(who->account.text, account->text) == 0;
}

static struct identity *make(struct identity *host, const struct account *account)
{
    struct resident *r = mem_zero(sizeof *r);
    struct identity *who = guest_new(&r->g, &residents, host, account);
    who->resident = r;
    who->current = edition_new(who);
    guest_rest(who);
    log_debug(NULL, "upstream %s: %s of the gateway's users", who->name, account->qualified);
    return who;
}

static bool is_frozen(const struct edition *e)
{
    return e->ticket_guard && guard_look(e->ticket_guard, e->who->name, SPAN(""), now_ms()) == GUARD_FROZEN;
}

/* Whether the ticket in hand is to be given up for this one. */
static bool is_better(const struct identity *who, const struct ticket *fresh)
{
    const struct handed *handed = who->resident->handed;
    const struct ticket *old = handed ? handed_ticket(handed) : NULL;
    if (!old)
        return true;
    return fresh->until > old->until + BETTER_SECONDS ||
           (is_frozen(who->current) && fresh->since != old->since);
}

/* Each connection of the user's may bring something. A ticket counts for more than evidence, and a new one of the same length for nothing. */
static void take(struct identity *who, struct handed *fresh)
{
    struct resident *r = who->resident;
    const struct ticket *ticket = fresh ? handed_ticket(fresh) : NULL;
    bool has_ticket = r->handed && handed_ticket(r->handed);
    if (!fresh || fresh == r->handed || (ticket ? !is_better(who, ticket) : has_ticket))
        return;
    handed_unref(r->handed);
    r->handed = handed_ref(fresh);
    if (ticket && who->current->negotiate_state != PART_UNKNOWN)
        identity_follow(who, edition_new(who));
    else if (!ticket)
        edition_retry(who->current); /* what was refused may have been for want of it */
}

static struct identity *find(struct identity *host, struct span user, struct guest_no *no)
{
    struct account account;
    const char *why;
    *no =
        (struct guest_no){KEYS_UNAVAILABLE, "The name of the gateway's user is no name of an account.", NULL};
    if (!host->u || !is_welcome(host)) {
        no->why = "The configuration does not act for a gateway's users.";
        return NULL;
    }
    if (user.n == 0 || !identity_account(host->u, user, &account, &why))
        return NULL;
    struct identity *who = guest_find(host, &residents, is_it, &account);
    no->why = "More users than exeat keeps at once are using the proxy through it. Try again later.";
    if (!who && guest_make_room(host->k, &residents))
        who = make(host, &account);
    account_free(&account);
    return who;
}

struct identity *resident_find(struct identity *host, const struct inbound *in, struct guest_no *no)
{
    struct identity *who = find(host, span_str(in->account), no);
    if (who)
        take(who, in->handed);
    return who;
}

struct identity *resident_named(struct identity *host, struct span user, struct guest_no *no)
{
    return find(host, user, no);
}

/* A bare name that the upstream's domain was added to, and the same in full, are two who have one item. */
void residents_forget(struct identity *host, const char *qualified, const struct identity *but)
{
    struct list *it, *safe;
    list_each(it, safe, &host->k->identities)
    {
        struct identity *who = list_entry(it, struct identity, node);
        if (who->resident && who != but && strcmp(who->name, host->name) == 0 &&
            strcmp(who->account.qualified, qualified) == 0)
            identity_put(who, edition_new(who));
    }
}

struct handed *resident_handed(const struct identity *who)
{
    return who->resident->handed;
}

struct identity *resident_host(const struct identity *who)
{
    struct identity *host = identity_named(who->k, span_str(who->name));
    return host && host->u ? host : NULL;
}
