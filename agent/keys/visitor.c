/*
 * The table of visitor.h. A visitor is a struct identity whose section is a copy of the upstream's with the visitor's own answer to where the password
 * comes from: it was given, as by exeat login, and there is nobody to be asked again.
 */
#include "keys/visitor.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"

#define BUSY_MS 1000 /* a worker still has something of it: look again then */

struct visitor {
    struct identity *who;
    struct config_upstream section; /* its texts are the configuration's */
    char mark[MARK_HEX + 1];
    struct deadline end; /* set while it rests */
    bool retired;        /* its section is an earlier configuration's: what has begun goes on by that */
};

void visitor_free(struct visitor *g)
{
    if (!g)
        return;
    deadline_unset(&g->end);
    free(g);
}

static struct config_upstream section_of(const struct config_upstream *u)
{
    struct config_upstream section = *u;
    section.user = section.secret_argument = NULL;
    section.secret = SECRET_PROMPT;
    return section;
}

/* Nothing points to it any more. */
static bool is_over(const struct identity *who)
{
    return who->contexts == 0 && who->editions == 1 && who->current->refs == 1;
}

static void rested(struct deadline *d)
{
    struct visitor *g = list_entry(d, struct visitor, end);
    if (is_over(g->who))
        identity_free(g->who);
    else if (g->who->contexts == 0)
        deadline_set(&g->who->k->deadlines, &g->end, BUSY_MS);
}

void visitor_rest(struct identity *who)
{
    deadline_set(&who->k->deadlines, &who->visitor->end, who->visitor->retired ? BUSY_MS : VISITOR_REST_MS);
}

const char visitor_has_no_more[] =
    "Several passwords that programs brought for this user were refused a short while ago, or have had no "
    "answer yet. To spare the account from being locked, no other one is tried for half an hour.";

bool visitor_may_show(struct identity *who)
{
    struct guard *g = who->current->guard;
    return (g && guard_is_accepted(g)) ||
           ration_show(&who->k->ration, who->account.key, who->visitor->mark, now_ms());
}

void visitor_proved(struct identity *who)
{
    ration_return(&who->k->ration, who->account.key, who->visitor->mark);
}

/* --- finding one, and making one --- */

static struct identity *known(struct identity *host, const struct account *account, const char *mark)
{
    struct list *it, *safe;
    list_each(it, safe, &host->k->identities)
    {
        struct identity *who = list_entry(it, struct identity, node);
        if (who->visitor && !who->visitor->retired && strcmp(who->name, host->name) == 0 &&
            strcmp(who->account.text, account->text) == 0 && strcmp(who->visitor->mark, mark) == 0)
            return who;
    }
    return NULL;
}

/* Room for one more: the one that has rested for longest goes. */
static bool make_room(struct keyholder *k)
{
    struct identity *oldest = NULL;
    size_t n = 0;
    struct list *it, *safe;
    list_each(it, safe, &k->identities)
    {
        struct identity *who = list_entry(it, struct identity, node);
        if (!who->visitor)
            continue;
        n++;
        if (is_over(who) && (!oldest || who->visitor->end.at < oldest->visitor->end.at))
            oldest = who;
    }
    if (n >= VISITORS_MAX && oldest)
        identity_free(oldest);
    return n < VISITORS_MAX || oldest;
}

/* A pair that was neither accepted nor refused before is one more that a directory may count. */
static bool may_try(struct keyholder *k, const char *account, const char *mark)
{
    struct guard *g = guard_get(k, account, mark);
    bool judged = g->frozen || guard_is_accepted(g);
    guard_unref(g);
    return judged || ration_take(&k->ration, account, mark, now_ms());
}

static struct identity *make(struct identity *host, struct account *account, const char *mark,
                             struct secret *password)
{
    struct identity *who = identity_new(host->k, host->name);
    struct visitor *g = mem_zero(sizeof *g);
    g->who = who;
    g->section = section_of(host->u);
    memcpy(g->mark, mark, sizeof g->mark);
    deadline_init(&g->end, rested);
    who->visitor = g;
    who->u = &g->section;
    who->config = config_ref(host->config);
    account_copy(&who->account, account);
    who->current = edition_new(who);
    edition_give(who->current, SPAN(""), password);
    return who;
}

static struct identity *find(struct identity *host, struct account *account, struct secret *password,
                             struct visitor_no *no)
{
    char mark[MARK_HEX + 1];
    marks_hash(&host->k->marks, account->key, password, mark);
    struct identity *who = known(host, account, mark);
    if (who)
        return who;
    no->verdict = KEYS_UNAVAILABLE;
    no->why = visitor_has_no_more;
    if (!may_try(host->k, account->key, mark))
        return NULL;
    no->why = "More users than exeat keeps at once are using the proxy through it. Try again later.";
    return make_room(host->k) ? make(host, account, mark, password) : NULL;
}

struct identity *visitor_find(struct identity *host, struct span user, struct span password,
                              struct visitor_no *no)
{
    struct account account = {0};
    struct secret secret = {0};
    const char *why;
    struct identity *who = NULL;
    *no =
        (struct visitor_no){KEYS_REFUSED, "A user name is written CORP\\alice, alice@CORP.EXAMPLE or alice."};
    if (!host->u || host->u->client_credentials != CLIENT_CREDENTIALS_USE) {
        *no = (struct visitor_no){KEYS_UNAVAILABLE,
                                  "The configuration does not use the credentials that programs bring."};
    } else if (user.n == 0) {
        no->why = "The program brought a password without a user name.";
    } else if (password.n == 0 || password.n > PROVIDER_SECRET_MAX) {
        no->why = "The password that the program brought is empty, or longer than any.";
    } else if (identity_account(host->u, user, &account, &why)) {
        secret_set(&secret, password);
        who = find(host, &account, &secret, no);
    }
    secret_free(&secret);
    account_free(&account);
    return who;
}

/* --- reload --- */

static void retire(struct identity *who)
{
    who->visitor->retired = true;
    if (who->contexts == 0)
        visitor_rest(who);
}

void visitors_sync(struct keyholder *k)
{
    struct list *it, *safe;
    list_each(it, safe, &k->identities)
    {
        struct identity *who = list_entry(it, struct identity, node);
        if (!who->visitor || who->visitor->retired)
            continue;
        struct identity *host = identity_named(k, span_str(who->name));
        bool there = host && host->u && host->u->client_credentials == CLIENT_CREDENTIALS_USE;
        struct config_upstream fresh = there ? section_of(host->u) : *who->u;
        if (!there || !identity_same_section(who->u, &fresh)) {
            retire(who);
            continue;
        }
        struct config *before = who->config;
        who->visitor->section = fresh;
        who->config = config_ref(host->config);
        config_unref(before);
    }
}
