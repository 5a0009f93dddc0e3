/*
 * Logging in: the typed password becomes a candidate edition that only trial connections use; the agent is asked for one; what its handshake says
 * decides. Accepted: stored, and the current edition from then on. Refused: marked, not stored. Not tried (no proxy, or it does not ask): stored
 * all the same, and said so. The keyring is looked at first: a password that has nowhere to stay is not tried. Main thread.
 */
#include "keys/login.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "keys/keyring_job.h"
#include "keys/resident.h"
#include "keys/typed.h"

#define TRIAL_MS 60000

struct trial {
    struct identity *who;
    uint32_t id, peer, call;
    struct edition *e;
    struct secret typed;       /* until the candidate has it, and then for the keyring */
    enum keys_verdict verdict; /* of the handshake; 0: nothing was said */
    char *proxy, *why;
    struct deadline deadline;
    bool over; /* the handshake part */
    bool overtaken;
};

static void trial_free(struct trial *t)
{
    deadline_unset(&t->deadline);
    if (t->who->candidate == t->e)
        t->who->candidate = NULL;
    t->who->trial = NULL;
    edition_unref(t->e);
    secret_free(&t->typed);
    free(t->proxy);
    free(t->why);
    free(t);
}

static void trial_answer(struct trial *t, enum keys_verdict verdict, const char *why, const char *remedy)
{
    log_info(NULL, "upstream %s: login: %s", t->who->name, why);
    typed_answer(t->who->k, t->peer, t->call, verdict, why, remedy);
    trial_free(t);
}

/* true: said so, and t is gone. */
static bool stop_overtaken(struct trial *t)
{
    struct buf why = {0};
    if (!t->overtaken)
        return false;
    buf_addf(&why, "the configuration of upstream %s changed during the login; the password is not used",
             t->who->name);
    trial_answer(t, KEYS_UNAVAILABLE, buf_cstr(&why), "Log in again.");
    buf_free(&why);
    return true;
}

void login_overtaken(struct identity *who)
{
    if (who->trial)
        who->trial->overtaken = true;
}

static void promote(struct trial *t, bool in_keyring)
{
    struct edition *e = edition_ref(t->e);
    e->candidate = false;
    e->only_copy = !in_keyring;
    t->who->candidate = NULL;
    identity_put(t->who, e);
    if (t->who->resident)
        residents_forget(t->who, e->account.qualified, t->who);
}

static void stored(struct trial *t, enum provided_kind kind, const struct err *e)
{
    if (stop_overtaken(t))
        return;
    struct buf why = {0};
    bool keyring = t->who->u && secret_source_is_keyring(t->who->u->secret);
    bool kept = keyring && kind == PROVIDED;
    bool lost = !kept && (t->who->k->one_errand || t->who->resident); /* a guest does not stay for long */
    if (!lost || !t->who->resident)
        promote(t, kept);
    if (t->verdict == KEYS_OK)
        buf_addf(&why, "the password of %s was accepted by %s", identity_text(t->e), t->proxy);
    else
        buf_addf(&why, "the password of %s could not be tried (%s)", identity_text(t->e),
                 t->why ? t->why : "no connection asked for it");
    if (kept)
        buf_addf(&why, "%s stored in the keyring", t->verdict == KEYS_OK ? " and" : " and is");
    else if (lost)
        buf_addf(&why, ", but is not stored: %s", e ? e->text : "no agent is running");
    else if (keyring)
        buf_addf(&why, ", but is not stored: %s. It is kept in memory until exeat stops", e->text);
    else
        buf_add_str(&why, ". It is kept in memory until exeat stops");
    trial_answer(t, lost ? KEYS_UNAVAILABLE : KEYS_OK, buf_cstr(&why), NULL);
    buf_free(&why);
}

static void in_keyring(struct keyring_job *j)
{
    stored(j->owner, j->kind, &j->e);
}

static void trial_over(struct trial *t)
{
    if (t->over)
        return;
    t->over = true;
    deadline_unset(&t->deadline);
    if (t->verdict == KEYS_REFUSED) {
        trial_answer(
            t, KEYS_REFUSED, t->why ? t->why : "the password was refused",
            "It was not stored. Check it, and log in again; each wrong password counts towards a lock-out.");
        return;
    }
    if (t->overtaken || !t->who->u || !secret_source_is_keyring(t->who->u->secret)) {
        stored(t, PROVIDED_NOWHERE, NULL);
        return;
    }
    struct keyring_job *j = keyring_job_new(t->who, KEYRING_STORE, t->who->resident, in_keyring, t);
    j->user = mem_strdup(j->resident ? t->e->account.qualified : t->e->account.text);
    secret_move(&j->secret, &t->typed);
    work_submit(&j->job);
}

static void trial_late(struct deadline *d)
{
    struct trial *t = list_entry(d, struct trial, deadline);
    if (!t->why)
        t->why = mem_strdup("the trial took too long");
    trial_over(t);
}

static void begin_trial(struct trial *t)
{
    struct keyholder *k = t->who->k;
    char mark[MARK_HEX + 1];
    struct secret copy = {0};

    /* Whoever types a password wants it tried, even one that was refused before: the account may have been unlocked. */
    marks_hash(&k->marks, t->e->account.key, &t->typed, mark);
    struct guard *g = guard_get(k, t->e->account.key, mark);
    guard_thaw(g);
    guard_unref(g);

    t->who->candidate = t->e;
    secret_set(&copy, secret_reveal(&t->typed));
    edition_give(t->e, SPAN(""), &copy);
    secret_free(&copy);
    deadline_set(&k->deadlines, &t->deadline, TRIAL_MS);
    serve_send(
        k, PEER_AGENT,
        &(struct keys_msg){
            .type = KEYS_EVENT_TRIAL, .call = t->id, .trial = t->id, .upstream = span_str(t->who->name)});
}

static void looked(struct keyring_job *j)
{
    struct trial *t = j->owner;
    const char *remedy =
        j->kind == PROVIDED_NOWHERE && j->resident
            ? "Without a keyring, set secret = file:PATH with " SECRET_USER
              " in it, or secret = command:COMMAND with $" SECRET_USER_VARIABLE "."
        : j->kind == PROVIDED_NOWHERE
            ? "Without a keyring, set secret = prompt (kept in memory only), secret = file:PATH or secret = "
              "command:COMMAND."
            : "Unlock the keyring (log in to the desktop, or use its password manager) and try again.";
    if (stop_overtaken(t))
        return;
    if (j->kind == PROVIDED || j->kind == PROVIDED_ABSENT)
        begin_trial(t);
    else
        trial_answer(t, KEYS_UNAVAILABLE, j->e.text, remedy);
}

/* The account that the password is for, into the candidate. false: *why. */
static bool settle_account(struct edition *e, struct span user, struct buf *why)
{
    const char *reason;
    struct account given;
    if (!account_parse(&given, user, &reason)) {
        buf_add_str(why, reason);
        return false;
    }
    bool configured = e->account.form != ACCOUNT_NONE;
    bool good = e->who->resident ? true
                : configured     ? !user.n || strcmp(given.key, e->account.key) == 0
                                 : user.n > 0;
    if (!good && configured)
        buf_addf(why, "the configuration says user = %s for upstream %s", e->account.text, e->who->name);
    else if (!good)
        buf_addf(why, "the configuration names no user for upstream %s", e->who->name);
    if (good && !configured) {
        account_free(&e->account);
        e->account = given;
    } else {
        account_free(&given);
    }
    return good;
}

void login_begin(struct keyholder *k, uint32_t peer, const struct keys_msg *m)
{
    struct identity *who = identity_named(k, m->upstream);
    struct buf why = {0};
    if (!typed_is_taken(k, who, peer, m))
        return;
    if (m->flags & KEYS_GUEST && !(who = typed_resident(who, peer, m)))
        return;
    if (who->trial) {
        typed_answer(k, peer, m->call, KEYS_UNAVAILABLE, "another login for this upstream is under way",
                     NULL);
        return;
    }
    if (m->secret.n > PROVIDER_SECRET_MAX || memchr(m->secret.p, '\0', m->secret.n)) {
        typed_answer(k, peer, m->call, KEYS_UNAVAILABLE, "this is too long for a password, or has a NUL byte",
                     NULL);
        return;
    }
    if (!typed_is_of_its_form(k, who, peer, m))
        return;
    struct trial *t = mem_zero(sizeof *t);
    *t = (struct trial){.who = who, .id = ++k->last_trial, .peer = peer, .call = m->call};
    deadline_init(&t->deadline, trial_late);
    who->trial = t;
    t->e = edition_new(who);
    t->e->candidate = true;
    secret_set(&t->typed, m->secret);
    if (!settle_account(t->e, m->user, &why)) {
        trial_answer(t, KEYS_UNAVAILABLE, buf_cstr(&why),
                     "Set user = in the configuration, or name it with the login.");
    } else if (secret_source_is_keyring(who->u->secret)) {
        struct keyring_job *j = keyring_job_new(who, KEYRING_LOOK, who->resident, looked, t);
        work_submit(&j->job);
    } else {
        begin_trial(t);
    }
    buf_free(&why);
}

void login_note(struct edition *e, enum keys_verdict verdict, const char *proxy, const char *why)
{
    struct trial *t = e->who->trial;
    bool decisive = verdict == KEYS_OK || verdict == KEYS_REFUSED;
    if (!t || t->e != e || t->over || t->verdict == KEYS_OK || t->verdict == KEYS_REFUSED ||
        (t->why && !decisive))
        return;
    free(t->proxy);
    free(t->why);
    t->verdict = verdict;
    t->proxy = mem_strdup(proxy);
    t->why = mem_strdup(why);
}

void login_end_trial(struct keyholder *k, const struct keys_msg *m)
{
    struct list *it, *safe;
    list_each(it, safe, &k->identities)
    {
        struct trial *t = list_entry(it, struct identity, node)->trial;
        if (!t || t->id != m->trial || t->over)
            continue;
        if (!t->why && m->verdict == KEYS_NOT_ASKED)
            t->why = mem_strdup("the proxy let the trial through without asking for it");
        else if (!t->why && m->why.n)
            t->why = span_dup(m->why);
        trial_over(t);
        return;
    }
}

void login_stop(struct keyholder *k)
{
    struct list *it, *safe;
    list_each(it, safe, &k->identities)
    {
        struct trial *t = list_entry(it, struct identity, node)->trial;
        if (t)
            trial_free(t);
    }
}

struct identity *login_who(struct identity *host, uint32_t trial)
{
    struct list *it, *safe;
    list_each(it, safe, &host->k->identities)
    {
        struct identity *who = list_entry(it, struct identity, node);
        if (trial && who->trial && who->trial->id == trial && strcmp(who->name, host->name) == 0)
            return who;
    }
    return NULL;
}
