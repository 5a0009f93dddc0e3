/*
 * From a chosen scheme to a header value. The first Kerberos token for a proxy needs a service ticket: one worker fetches it for all
 * connections to that proxy, the others wait without a thread. Main thread, but for step_run, which touches its job, and the handshake that it was lent.
 */
#include "keys/speak.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/log.h"
#include "keys/basic.h"
#include "keys/choose.h"
#include "keys/mutual.h"
#include "keys/pair.h"
#include "keys/work.h"

#define SERVICE_RETRY_MS 60000

struct step_job {
    struct job job;
    struct context *c; /* not freed before the job is done */
    struct hop *hop;
    uint32_t generation;
    unsigned network; /* the one in which it was begun */
    bool fetch_service;
    char *host, *spn, *workstation;
    enum canonicalize canonicalize;
    char *principal; /* the service's, in the ticket cache */
    bool follow;     /* nobody said who we are: whoever the user's primary cache says */
    bool delegate;
    struct buf in, binding;
    struct gss_cred *cred; /* the context's bundle or edition keeps it */
    const struct ticket *ticket;
    enum gss_mech mech;
    bool mutual;
    const struct scheme *scheme;
    struct gss_handshake *handshake;
    enum ticket_result service;
    struct secret token;
    enum scheme_outcome outcome;
    struct err why;
};

const char *speak_scheme_name(const struct context *c)
{
    return c->raw ? schemes[AUTH_NEGOTIATE].name : schemes[c->scheme].name;
}

/* The state of the service ticket at this proxy, for this generation. */
static enum part service_part(struct context *c)
{
    struct hop *h = c->hop;
    if (h->service_generation != c->e->generation) {
        h->service_generation = c->e->generation;
        h->service_state = PART_UNKNOWN;
    }
    if (h->service_state == PART_FAILED && now_ms() >= h->service_retry)
        h->service_state = PART_UNKNOWN;
    return h->service_state;
}

/* NTLM under the name Negotiate: in SPNEGO, or raw where the proxy understands nothing else. */
static enum ready prepare_ntlm_inside(struct context *c, struct err *why)
{
    const struct hop *h = c->hop;
    if (!c->e->bundle->ntlm_only)
        return READY_NO;
    if (c->e->guard && guard_look(c->e->guard, c->who->name, SPAN(""), now_ms()) == GUARD_FROZEN)
        return READY_REFUSED;
    if (h->no_spnego_ntlm_until > now_ms()) {
        if (!why->text[0]) /* why there is no ticket says more */
            err_set(why, ERR_PROTOCOL, "the proxy takes no NTLM inside Negotiate");
        return READY_NO;
    }
    c->ntlm_only = true;
    c->raw = h->raw_negotiate;
    return c->raw ? edition_need_ntlm(c->e, c->q.since, why) : READY_YES;
}

static enum ready prepare_negotiate(struct context *c, const char **waits_for, struct err *why)
{
    c->ntlm_only = c->raw = false;
    *waits_for = "the Kerberos server";
    enum ready r = edition_need_negotiate(c->e, c->q.since, why);
    if (r != READY_YES)
        return r;
    if (!c->e->bundle->full) {
        bool coming = c->e->negotiate_state == PART_RUNNING || c->e->acquire;
        if (c->hop->no_spnego_ntlm_until > now_ms() && coming) /* a ticket is all that helps here */
            return READY_WAIT;
        *why = c->e->negotiate_why;
        return prepare_ntlm_inside(c, why);
    }
    switch (service_part(c)) {
    case PART_RUNNING:
        return READY_WAIT;
    case PART_FAILED:
        *why = c->hop->service_why;
        return prepare_ntlm_inside(c, why);
    default:
        return READY_YES;
    }
}

enum ready speak_prepare(struct context *c, enum auth_scheme scheme, const char **waits_for, struct err *why)
{
    *waits_for = "the provider of the password";
    if (scheme != AUTH_NEGOTIATE && mutual_required(c)) {
        err_set(why, ERR_CONFIG, "only Kerberos may be answered (mutual = require)");
        return READY_NO;
    }
    switch (scheme) {
    case AUTH_NEGOTIATE:
        return prepare_negotiate(c, waits_for, why);
    case AUTH_NTLM:
        c->raw = c->ntlm_only = false;
        return edition_need_ntlm(c->e, c->q.since, why);
    default:
        return edition_need_password(c->e, c->q.since, why);
    }
}

/* --- headers --- */

static bool was_accepted(const struct context *c)
{
    return c->hop->worked[0] && c->hop->worked_scheme == c->scheme &&
           c->hop->worked_generation == c->e->generation;
}

/* A body that cannot be sent again waits until the proxy has taken this kind of header once. */
static uint32_t knock_for_body(const struct context *c)
{
    return c->q.flags & KEYS_BODY_BIG && !was_accepted(c) ? KEYS_KNOCK : 0;
}

static enum spoken speak_basic(struct context *c, struct err *why)
{
    const char *reason;
    if (!basic_header(&c->header, span_str(c->e->account.text), secret_reveal(&c->e->password), &reason)) {
        err_set(why, ERR_CONFIG, "Basic cannot be used: %s", reason);
        return SPOKEN_CANNOT;
    }
    c->header_flags =
        KEYS_REUSABLE; /* no knock: should it be refused, there is no second try that would need the body */
    return SPOKEN;
}

/* The same secret in the message of a SOCKS handshake, which carries one each time. */
static enum spoken speak_pair(struct context *c, struct err *why)
{
    const char *reason;
    if (!pair_message(&c->header, span_str(c->e->account.text), secret_reveal(&c->e->password), &reason)) {
        err_set(why, ERR_CONFIG, "user and password cannot be sent to a SOCKS server: %s", reason);
        return SPOKEN_CANNOT;
    }
    c->header_flags = 0;
    c->header_kind = GUARD_PAIR;
    return SPOKEN;
}

static enum spoken take_digest_challenge(struct context *c, struct err *why)
{
    const struct challenge *ch = choose_challenge(&c->challenges, AUTH_DIGEST);
    const char *reason;
    bool stale;
    if (!ch)
        return SPOKEN;
    if (!digest_take_challenge(c->hop->digest, ch, &stale, &reason)) {
        err_set(why, ERR_PROTOCOL, "the proxy's Digest challenge is malformed: %s", reason);
        return SPOKEN_BROKEN;
    }
    const char *algorithm = challenge_param(ch, "algorithm");
    c->hop->digest_spoken = choose_digest_level(&c->challenges);
    snprintf(c->hop->digest_words, sizeof c->hop->digest_words, "Digest %s", algorithm ? algorithm : "MD5");
    return SPOKEN;
}

static void fit_digest(struct context *c)
{
    struct hop *h = c->hop;
    if (h->digest_generation == c->e->generation)
        return;
    digest_free(h->digest);
    h->digest = digest_new();
    h->digest_generation = c->e->generation;
}

void speak_keep_nonce(struct context *c)
{
    struct err why;
    fit_digest(c);
    if (choose_allows(c->who->u, AUTH_DIGEST))
        take_digest_challenge(c, &why);
}

static enum spoken speak_digest(struct context *c, struct err *why)
{
    struct hop *h = c->hop;
    bool asked = c->q.type == KEYS_CHALLENGED;
    fit_digest(c);
    enum spoken s = take_digest_challenge(c, why);
    if (s != SPOKEN)
        return s;
    if (!asked && c->q.flags & KEYS_BODY_BIG)
        return SPOKEN_NOTHING; /* the knock fetches a nonce that cannot be stale */
    struct digest_request r = {.user = span_str(c->e->account.text),
                               .password = secret_reveal(&c->e->password),
                               .method = buf_span(&c->q.method),
                               .uri = buf_span(&c->q.target),
                               .body = buf_span(&c->q.body),
                               .body_known = c->q.flags & (KEYS_BODY_NONE | KEYS_BODY_HELD)};
    c->header_flags = 0;
    switch (digest_authorize(h->digest, &r, &c->header)) {
    case DIGEST_HEADER:
        return SPOKEN;
    case DIGEST_NO_NONCE:
        return SPOKEN_NOTHING;
    case DIGEST_NEED_BODY:
        if (!(c->q.flags & KEYS_BODY_BIG))
            return SPOKEN_NEED_BODY;
        err_set(why, ERR_LIMIT, "the proxy wants Digest over the whole body, which is too large to be held");
        return SPOKEN_CANNOT;
    default:
        err_set(why, ERR_CONFIG, "Digest cannot carry the user name %s", c->e->account.text);
        return SPOKEN_CANNOT;
    }
}

enum spoken speak_header(struct context *c, struct err *why)
{
    secret_free(&c->header);
    c->header_kind = GUARD_HEADER;
    if (c->q.flags & KEYS_SOCKS)
        return speak_pair(c, why);
    return c->scheme == AUTH_BASIC ? speak_basic(c, why) : speak_digest(c, why);
}

/* --- tokens --- */

/* Worker. A kinit may have put somebody else into the cache since it was looked at. */
static bool is_current(struct step_job *j)
{
    return !j->ticket || j->ticket->private || ticket_is_current(j->ticket, j->follow) ||
           err_set(&j->why, ERR_SYSTEM, "the Kerberos ticket of %s is gone", j->ticket->principal);
}

/* Worker. */
static bool begin_handshake(struct step_job *j)
{
    struct service service = {j->host, j->spn, j->canonicalize};
    if (!is_current(j))
        return false;
    if (j->fetch_service)
        j->service = ticket_service(j->ticket, &service, &j->principal, &j->why);
    if (j->service != TICKET_OK)
        return false;
    struct gss_handshake_request request = {.cred = j->cred,
                                            .mech = j->mech,
                                            .host = j->host,
                                            .spn = j->spn,
                                            .principal = j->ticket ? j->principal : NULL,
                                            .workstation = j->workstation,
                                            .binding = buf_span(&j->binding),
                                            .mutual = j->mutual,
                                            .delegate = j->delegate};
    j->handshake = gss_handshake_new(&request, &j->why);
    return j->handshake != NULL;
}

/* Worker. */
static void step_run(struct job *job)
{
    struct step_job *j = (struct step_job *)job;
    j->service = TICKET_OK;
    j->outcome = SCHEME_FAILED;
    if (j->handshake || begin_handshake(j))
        j->outcome = j->scheme->step(j->handshake, buf_span(&j->in), &j->token, &j->why);
}

static void take_service(struct step_job *j)
{
    struct hop *h = j->hop;
    if (!j->fetch_service)
        return;
    j->c->who->wake = true;
    if (h->service_generation != j->generation)
        return;
    if (j->c->e->generation == j->generation)
        j->c->e->not_allowed = j->service == TICKET_NOT_ALLOWED;
    h->service_state = j->principal ? PART_READY : j->service == TICKET_OK ? PART_UNKNOWN : PART_FAILED;
    h->service_retry = j->network == j->c->who->k->network ? now_ms() + SERVICE_RETRY_MS : 0;
    h->service_why = j->why;
    free(h->service_name);
    h->service_name = mem_strdup(j->principal);
}

static void take_token(struct step_job *j)
{
    struct context *c = j->c;
    struct buf name = {0};
    buf_addf(&name, "%s ", speak_scheme_name(c));
    secret_set(&c->header, buf_span(&name));
    buf_free(&name);
    base64_encode_secret(&c->header, secret_reveal(&j->token));
    c->header_flags = KEYS_BINDS;
    if (j->outcome == SCHEME_MORE)
        c->header_flags |= KEYS_KNOCK;
    else if (j->outcome == SCHEME_TICKET)
        c->header_flags |= knock_for_body(c) | mutual_flags(c);
    c->header_kind = j->outcome == SCHEME_TICKET ? GUARD_TICKET : GUARD_TOKEN;
}

static void step_done(struct job *job)
{
    struct step_job *j = (struct step_job *)job;
    struct context *c = j->c;
    c->at_work = false;
    c->handshake = j->handshake;
    take_service(j);
    if (c->closed) {
        context_free(c);
    } else if (c->stage == STAGE_STEP) { /* else its time ran out */
        if (j->outcome <= SCHEME_TICKET)
            take_token(j);
        converse_spoke(c, j->outcome, j->service == TICKET_OK, &j->why);
    }
    secret_free(&j->token);
    buf_free(&j->in);
    buf_free(&j->binding);
    free(j->host);
    free(j->spn);
    free(j->workstation);
    free(j->principal);
    free(j);
}

/* What the handshake works with, kept by the context as long as the handshake lives. */
static void choose_credential(struct context *c, struct step_job *j)
{
    if (c->scheme == AUTH_NTLM || c->raw) {
        j->mech = GSS_MECH_NTLM;
        j->scheme = &schemes[AUTH_NTLM];
        j->cred = c->e->ntlm;
        return;
    }
    if (!c->bundle)
        c->bundle = bundle_ref(c->e->bundle);
    j->mech = GSS_MECH_SPNEGO;
    j->scheme = &schemes[AUTH_NEGOTIATE];
    j->cred = c->ntlm_only ? c->bundle->ntlm_only : c->bundle->full;
    if (c->ntlm_only || c->handshake)
        return;
    j->ticket = &c->bundle->ticket;
    j->follow = c->e->account.form == ACCOUNT_NONE;
    j->delegate = c->who->u->delegate;
    j->mutual = c->who->u->mutual != MUTUAL_OFF;
    if (service_part(c) == PART_UNKNOWN) {
        j->fetch_service = true;
        c->hop->service_state = PART_RUNNING;
    } else {
        j->principal = mem_strdup(c->hop->service_name);
    }
}

void speak_token(struct context *c, struct span in)
{
    struct step_job *j = mem_zero(sizeof *j);
    j->job.run = step_run;
    j->job.done = step_done;
    j->c = c;
    j->hop = c->hop;
    j->generation = c->e->generation;
    j->network = c->who->k->network;
    j->host = mem_strdup(c->hop->host);
    j->spn = mem_strdup(c->who->u->spn);
    j->workstation = mem_strdup(c->who->u->workstation);
    j->canonicalize = c->who->u->canonicalize;
    buf_add_span(&j->in, in);
    buf_add_span(&j->binding, buf_span(&c->binding));
    choose_credential(c, j);
    j->handshake = c->handshake;
    j->job.quick = j->mech == GSS_MECH_NTLM || c->ntlm_only;
    c->at_work = true;
    c->stage = STAGE_STEP;
    c->q.waits_for = "the Kerberos server";
    work_submit(&j->job);
}
