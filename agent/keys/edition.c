/*
 * One generation of a secret, and the job that asks its provider: the password, and on the same worker the NT hash and the NTLM credential
 * made of it. (The Kerberos side is in negotiate_part.c.) A job runs once at a time for each edition; all who need it wait on the identity.
 * Main thread, but for secret_run, which touches its job alone.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "keys/choose.h"
#include "keys/identity.h"
#include "keys/nthash.h"
#include "keys/work.h"

/* How soon a provider may be asked again, in milliseconds. */
static const int64_t look_pause[] = {
    [SECRET_KEYRING] = 1000, [SECRET_NT_HASH] = 1000, [SECRET_COMMAND] = 5000, [SECRET_FILE] = 0,
    [SECRET_CREDENTIAL] = 0, [SECRET_PROMPT] = 0,     [SECRET_NONE] = 0,       [SECRET_KEYTAB] = 0};

struct secret_job {
    struct job job;
    struct edition *e; /* a reference; the worker does not look at it */
    bool given;        /* `got` was filled in by a login: no provider is asked */
    enum secret_source source;
    char *argument, *upstream, *user, *domain;
    bool resident;
    bool ntlm;
    struct provided got;
    struct secret nt_hash;
    struct gss_cred *cred;
    struct err ntlm_why;
};

struct edition *edition_new(struct identity *who)
{
    struct edition *e = mem_zero(sizeof *e);
    e->refs = 1;
    e->who = who;
    /* Two residents may be one to the agent, which takes the higher number for the newer. */
    e->generation = who->resident ? ++who->k->last_generation : ++who->last_generation;
    e->looked_at = INT64_MIN / 2;
    who->editions++;
    renewal_init(&e->renewal);
    account_copy(&e->account, &who->account);
    return e;
}

struct edition *edition_ref(struct edition *e)
{
    if (e)
        e->refs++;
    return e;
}

void edition_unref(struct edition *e)
{
    if (!e || --e->refs > 0)
        return;
    deadline_unset(&e->renewal.deadline);
    guard_passed(&e->acquiring);
    bundle_unref(e->bundle);
    gss_cred_free(e->ntlm);
    guard_unref(e->guard);
    guard_unref(e->ticket_guard);
    secret_free(&e->password);
    secret_free(&e->nt_hash);
    account_free(&e->account);
    free(e->realm);
    free(e->keytab_print);
    e->who->editions--;
    free(e);
}

/* Worker. */
static void make_ntlm(struct secret_job *j, const char *user)
{
    struct account who;
    const char *why;
    if (!account_parse(&who, span_str(user), &why)) {
        err_set(&j->ntlm_why, ERR_CONFIG, "%s", why);
        return;
    }
    account_default_domain(&who, j->domain);
    struct gss_cred_request request = {.mech = GSS_MECH_NTLM, .name = who.qualified, .nt_hash = &j->nt_hash};
    j->cred = gss_cred_new(&request, &j->ntlm_why);
    account_free(&who);
}

/* Worker. */
static bool make_hash(struct secret_job *j)
{
    struct span given = secret_reveal(&j->got.secret);
    return j->source == SECRET_NT_HASH ? nt_hash_take(&j->nt_hash, given, &j->ntlm_why)
                                       : nt_hash(&j->nt_hash, given, &j->ntlm_why);
}

/* Worker. */
static void secret_run(struct job *job)
{
    struct secret_job *j = (struct secret_job *)job;
    if (!j->given) {
        struct provider_ask ask = {j->source, j->argument, j->upstream, j->user, j->resident};
        provider_fetch(&ask, &j->got);
    }
    if (j->got.kind != PROVIDED)
        return;
    const char *user = j->user && *j->user ? j->user : j->got.user;
    if (!user) {
        err_set(&j->ntlm_why, ERR_CONFIG, "the configuration names no user for the password of %s",
                j->upstream);
    } else if (j->ntlm && make_hash(j)) {
        make_ntlm(j, user);
    }
}

/* The edition takes what the job brought. */
static void fill(struct edition *e, struct secret_job *j, const char *mark)
{
    const char *why;
    if (e->account.form == ACCOUNT_NONE && j->got.user) {
        account_free(&e->account);
        identity_account(e->who->u, span_str(j->got.user), &e->account, &why);
    }
    if (!e->guard)
        e->guard = guard_get(e->who->k, e->account.key, mark);
    e->guard->lasting |= !e->who->visitor;
    secret_move(&e->password, &j->got.secret);
    if (!e->ntlm) {
        secret_move(&e->nt_hash, &j->nt_hash);
        e->ntlm = j->cred;
        e->ntlm_why = j->ntlm_why;
        j->cred = NULL;
    }
    e->secret_state = PART_READY;
    e->secret_kind = PROVIDED;
    e->looked_at = now_ms();
    e->looked = ++e->who->k->tick;
}

static void take(struct edition *e, struct secret_job *j)
{
    struct identity *who = e->who;
    char mark[MARK_HEX + 1];
    const char *why;
    struct account account;
    struct span user =
        span_str(e->account.form == ACCOUNT_NONE && j->got.user ? j->got.user : e->account.text);
    identity_account(who->u, user, &account, &why);
    marks_hash(&who->k->marks, account.key, &j->got.secret, mark);
    if (e->guard && strcmp(e->guard->mark, mark) != 0 && e == who->current) {
        log_info(NULL, "upstream %s: the password has changed", who->name);
        e = edition_new(who);
        fill(e, j, mark);
        identity_put(who, e);
    } else if (!e->guard || strcmp(e->guard->mark, mark) == 0) {
        fill(e, j, mark);
    }
    account_free(&account);
}

static void secret_done(struct job *job)
{
    struct secret_job *j = (struct secret_job *)job;
    struct edition *e = j->e;
    e->looked_at = now_ms();
    e->looked = ++e->who->k->tick;
    e->secret_kind = j->got.kind;
    e->rereading = false;
    e->secret_state = PART_FAILED;
    e->secret_why = j->got.e;
    if (j->got.kind == PROVIDED)
        take(e, j);
    else
        log_debug(NULL, "upstream %s: %s", e->who->name, j->got.e.text);
    if (e->secret_state == PART_FAILED && j->got.kind == PROVIDED)
        e->secret_state = PART_READY; /* another edition has it now */
    e->who->wake = true;
    provided_free(&j->got);
    secret_free(&j->nt_hash);
    gss_cred_free(j->cred);
    edition_unref(e);
    free(j->argument);
    free(j->upstream);
    free(j->user);
    free(j->domain);
    free(j);
}

/* `given`, when present, is taken over. */
static void submit(struct edition *e, struct secret *given)
{
    const struct config_upstream *u = e->who->u;
    struct secret_job *j = mem_zero(sizeof *j);
    j->job.run = secret_run;
    j->job.done = secret_done;
    j->job.quick = given || u->secret == SECRET_FILE || u->secret == SECRET_CREDENTIAL;
    j->e = edition_ref(e);
    j->source = u->secret;
    j->argument = mem_strdup(u->secret_argument);
    j->upstream = mem_strdup(e->who->name);
    j->resident = e->who->resident;
    j->user = mem_strdup(e->account.form == ACCOUNT_NONE ? NULL
                         : j->resident                   ? e->account.qualified
                                                         : e->account.text);
    j->domain = mem_strdup(u->domain);
    j->ntlm = choose_allows(u, AUTH_NTLM);
    if (given) {
        j->given = true;
        j->got.kind = PROVIDED;
        secret_move(&j->got.secret, given);
    }
    e->secret_state = PART_RUNNING;
    work_submit(&j->job);
}

static bool may_look(const struct edition *e, uint64_t since)
{
    return e->who->u && !e->only_copy && e->looked < since &&
           now_ms() - e->looked_at >= look_pause[e->who->u->secret];
}

enum ready edition_need_secret(struct edition *e, uint64_t since, struct err *why)
{
    if (e->secret_state == PART_READY)
        return READY_YES;
    if (e->secret_state != PART_RUNNING && may_look(e, since))
        submit(e, NULL);
    if (e->secret_state == PART_RUNNING)
        return READY_WAIT;
    *why = e->secret_why;
    return READY_NO;
}

enum ready edition_need_password(struct edition *e, uint64_t since, struct err *why)
{
    if (e->who->u && e->who->u->secret == SECRET_NT_HASH) {
        err_set(why, ERR_CONFIG, "secret = nt-hash of %s is no password: it is good for NTLM alone",
                e->who->name);
        return READY_NO;
    }
    enum ready r = edition_need_secret(e, since, why);
    if (r != READY_YES)
        return r;
    if (e->account.form == ACCOUNT_NONE) {
        err_set(why, ERR_CONFIG, "the configuration names no user for the password of %s", e->who->name);
        return READY_NO;
    }
    e->wanted = true;
    if (secret_present(&e->password))
        return READY_YES;
    if (e->looked > since) {
        err_set(why, ERR_SYSTEM, "the password of %s has just changed", e->account.text);
        return READY_NO;
    }
    if (!e->who->u) {
        err_set(why, ERR_CONFIG, "the upstream %s is gone from the configuration", e->who->name);
        return READY_NO;
    }
    submit(e, NULL); /* it was dropped, and the provider has it */
    return READY_WAIT;
}

enum ready edition_need_ntlm(struct edition *e, uint64_t since, struct err *why)
{
    if (e->ntlm && e->rereading)
        return READY_WAIT;
    if (e->ntlm)
        return READY_YES;
    enum ready r = edition_need_secret(e, since, why);
    if (r != READY_YES)
        return r;
    *why = e->ntlm_why;
    return READY_NO;
}

void edition_reread(struct edition *e)
{
    if (!e->who->u || e->only_copy || e->secret_state != PART_READY)
        return;
    e->rereading = true;
    submit(e, NULL);
}

void edition_doubt_secret(struct edition *e, uint64_t since)
{
    if (may_look(e, since))
        edition_reread(e);
}

enum ready edition_look_again(struct edition *e, uint64_t since)
{
    if (!e->who->u)
        return READY_NO;
    if (edition_look_for_ticket(e, since) == READY_WAIT)
        return READY_WAIT;
    if (e->secret_state != PART_RUNNING && may_look(e, since))
        submit(e, NULL);
    return e->secret_state == PART_RUNNING ? READY_WAIT : READY_NO;
}

void edition_give(struct edition *e, struct span user, struct secret *password)
{
    const char *why;
    if (user.n && e->account.form == ACCOUNT_NONE) {
        account_free(&e->account);
        identity_account(e->who->u, user, &e->account, &why);
    }
    e->only_copy = true;
    submit(e, password);
}

void edition_tidy(struct edition *e)
{
    if (secret_present(&e->password) && !e->wanted && !e->only_copy && !e->acquire &&
        e->secret_state != PART_RUNNING && e->negotiate_state != PART_RUNNING)
        secret_free(&e->password);
}
