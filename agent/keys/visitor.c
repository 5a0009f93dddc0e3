/*
 * A visitor's section has its own answer to where the password
 * comes from: it was given, as by exeat login, and there is nobody to be asked again.
 */
#include "keys/visitor.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"

struct visitor {
    struct guest g; /* first */
    char mark[MARK_HEX + 1];
};

static void visitor_free(struct guest *g)
{
    free(g);
}

static struct config_upstream section_of(const struct config_upstream *host)
{
    struct config_upstream section = *host;
    section.user = section.secret_argument = NULL;
    section.secret = SECRET_PROMPT;
    return section;
}

static bool is_welcome(const struct identity *host)
{
    return host->u->client_credentials == CLIENT_CREDENTIALS_USE;
}

static const struct guest_kind visitors = {VISITORS_MAX, is_welcome, section_of, visitor_free};

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

struct pair_of {
    const struct account *account;
    const char *mark;
};

static bool is_it(const struct identity *who, const void *mark)
{
    const struct pair_of *pair = mark;
    return strcmp(who->account.text, pair->account->text) == 0 && strcmp(who->visitor->mark, pair->mark) == 0;
}

/* A pair that was neither accepted nor refused before is one more that a directory may count. */
static bool may_try(struct keyholder *k, const char *account, const char *mark)
{
    struct guard *g = guard_get(k, account, mark);
    bool judged = g->frozen || guard_is_accepted(g);
    guard_unref(g);
    return judged || ration_take(&k->ration, account, mark, now_ms());
}

static struct identity *make(struct identity *host, const struct account *account, const char *mark,
                             struct secret *password)
{
    struct visitor *v = mem_zero(sizeof *v);
    struct identity *who = guest_new(&v->g, &visitors, host, account);
    memcpy(v->mark, mark, sizeof v->mark);
    who->visitor = v;
    who->current = edition_new(who);
    edition_give(who->current, SPAN(""), password);
    return who;
}

static struct identity *find(struct identity *host, struct account *account, struct secret *password,
                             struct guest_no *no)
{
    char mark[MARK_HEX + 1];
    marks_hash(&host->k->marks, account->key, password, mark);
    const struct pair_of pair = {account, mark};
    struct identity *who = guest_find(host, &visitors, is_it, &pair);
    if (who)
        return who;
    no->verdict = KEYS_UNAVAILABLE;
    no->why = visitor_has_no_more;
    if (!may_try(host->k, account->key, mark))
        return NULL;
    no->why = "More users than exeat keeps at once are using the proxy through it. Try again later.";
    return guest_make_room(host->k, &visitors) ? make(host, account, mark, password) : NULL;
}

struct identity *visitor_find(struct identity *host, struct span user, struct span password,
                              struct guest_no *no)
{
    struct account account = {0};
    struct secret secret = {0};
    const char *why;
    struct identity *who = NULL;
    *no = (struct guest_no){KEYS_REFUSED, "A user name is written CORP\\alice, alice@CORP.EXAMPLE or alice.",
                            NULL};
    if (!host->u || !is_welcome(host)) {
        *no = (struct guest_no){KEYS_UNAVAILABLE,
                                "The configuration does not use the credentials that programs bring.", NULL};
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
