/*
 * The life of guests: a struct identity whose section is a copy of its host's, changed by its kind.
 */
#include "keys/guest.h"

#include <stdlib.h>

#include "keys/login.h"

#define BUSY_MS 1000 /* a worker still has something of it: look again then */

void guest_free(struct guest *g)
{
    if (!g)
        return;
    deadline_unset(&g->end);
    g->kind->free(g);
}

/* Nothing points to it any more. */
static bool is_over(const struct identity *who)
{
    return who->contexts == 0 && who->editions == 1 && who->current->refs == 1;
}

static void rested(struct deadline *d)
{
    struct guest *g = list_entry(d, struct guest, end);
    if (is_over(g->who))
        identity_free(g->who);
    else if (g->who->contexts == 0)
        deadline_set(&g->who->k->deadlines, &g->end, BUSY_MS);
}

void guest_rest(struct identity *who)
{
    deadline_set(&who->k->deadlines, &who->guest->end, who->guest->retired ? BUSY_MS : GUEST_REST_MS);
}

struct identity *guest_new(struct guest *g, const struct guest_kind *kind, struct identity *host,
                           const struct account *account)
{
    struct identity *who = identity_new(host->k, host->name);
    g->kind = kind;
    g->who = who;
    g->section = kind->section(host->u);
    deadline_init(&g->end, rested);
    who->guest = g;
    who->u = &g->section;
    who->config = config_ref(host->config);
    account_copy(&who->account, account);
    return who;
}

static bool is_of(const struct identity *who, const struct guest_kind *kind)
{
    return who->guest && who->guest->kind == kind;
}

struct identity *guest_find(const struct identity *host, const struct guest_kind *kind,
                            bool (*is_it)(const struct identity *who, const void *mark), const void *mark)
{
    struct list *it, *safe;
    list_each(it, safe, &host->k->identities)
    {
        struct identity *who = list_entry(it, struct identity, node);
        if (is_of(who, kind) && !who->guest->retired && strcmp(who->name, host->name) == 0 &&
            is_it(who, mark))
            return who;
    }
    return NULL;
}

bool guest_make_room(struct keyholder *k, const struct guest_kind *kind)
{
    struct identity *oldest = NULL;
    size_t n = 0;
    struct list *it, *safe;
    list_each(it, safe, &k->identities)
    {
        struct identity *who = list_entry(it, struct identity, node);
        if (!is_of(who, kind))
            continue;
        n++;
        if (is_over(who) && (!oldest || who->guest->end.at < oldest->guest->end.at))
            oldest = who;
    }
    if (n >= kind->most && oldest)
        identity_free(oldest);
    return n < kind->most || oldest;
}

/* --- reload --- */

static void retire(struct identity *who)
{
    who->guest->retired = true;
    login_overtaken(who);
    if (who->contexts == 0)
        guest_rest(who);
}

void guests_sync(struct keyholder *k)
{
    struct list *it, *safe;
    list_each(it, safe, &k->identities)
    {
        struct identity *who = list_entry(it, struct identity, node);
        struct guest *g = who->guest;
        if (!g || g->retired)
            continue;
        struct identity *host = identity_named(k, span_str(who->name));
        bool there = host && host->u && g->kind->welcome(host);
        struct config_upstream fresh = there ? g->kind->section(host->u) : *who->u;
        if (!there || !identity_same_section(who->u, &fresh)) {
            retire(who);
            continue;
        }
        struct config *before = who->config;
        g->section = fresh;
        who->config = config_ref(host->config);
        config_unref(before);
        edition_reread(who->current);
    }
}
