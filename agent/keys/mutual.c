/*
 * The last token of Negotiate: found in the final answer's fields, decoded strictly, given to a worker with the handshake that waits for it, judged. A wrong one
 * fails the request; none at all only where the configuration requires one. Neither says anything about the ticket: the guard's attempt passes. Main
 * thread, but for proof_run, which touches its job and the handshake that it was lent.
 */
#include "keys/mutual.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/log.h"
#include "keys/converse.h"
#include "keys/login.h"
#include "keys/speak.h"
#include "keys/words.h"
#include "keys/work.h"
#include "wire/frame.h"

struct proof_job {
    struct job job;
    struct context *c; /* not freed before the job is done */
    struct gss_handshake *handshake;
    struct buf token;
    enum proof proof;
    struct err why;
};

bool mutual_required(const struct context *c)
{
    return c->who->u && c->who->u->mutual == MUTUAL_REQUIRE;
}

uint32_t mutual_flags(const struct context *c)
{
    if (!c->handshake || !gss_handshake_is_mutual(c->handshake))
        return 0;
    bool body = !(c->q.flags & KEYS_BODY_NONE);
    return KEYS_FINAL | (mutual_required(c) && body ? KEYS_KNOCK : 0);
}

/* --- verdicts --- */

static void fail(struct context *c, const char *reason)
{
    struct buf why = {0}, remedy = {0};
    words_unproved(c->e, c->hop->text, reason, &why, &remedy);
    c->phase = PHASE_DEAD;
    converse_pass(c);
    c->hop->unproved = true;
    log_warning(NULL, "upstream %s: %s", c->who->name, buf_cstr(&why));
    if (c->candidate)
        login_note(c->e, KEYS_MUTUAL_FAILED, c->hop->text, buf_cstr(&why));
    context_answer_plain(c, KEYS_MUTUAL_FAILED, buf_cstr(&why), buf_cstr(&remedy));
    buf_free(&why);
    buf_free(&remedy);
}

static void settle(struct context *c, enum proof proof, const char *reason)
{
    if (proof == PROOF_WRONG || (proof == PROOF_NONE && mutual_required(c))) {
        fail(c, proof == PROOF_WRONG ? reason : NULL);
        return;
    }
    c->proved = proof == PROOF_RIGHT;
    converse_trusted(c);
}

/* --- the worker --- */

/* Worker. */
static void proof_run(struct job *job)
{
    struct proof_job *j = (struct proof_job *)job;
    j->proof = negotiate_verify(j->handshake, buf_span(&j->token), &j->why);
}

static void proof_done(struct job *job)
{
    struct proof_job *j = (struct proof_job *)job;
    struct context *c = j->c;
    c->at_work = false;
    if (c->closed)
        context_free(c);
    else if (c->stage == STAGE_STEP) /* else its time ran out */
        settle(c, j->proof, j->why.text);
    buf_free(&j->token);
    free(j);
}

/* Takes the token over. */
static void verify(struct context *c, struct buf *token)
{
    struct proof_job *j = mem_zero(sizeof *j);
    j->job.run = proof_run;
    j->job.done = proof_done;
    j->job.quick = true; /* the key of the session is here: no KDC is asked */
    j->c = c;
    j->handshake = c->handshake;
    j->token = *token;
    *token = (struct buf){0};
    c->at_work = true;
    c->stage = STAGE_STEP;
    work_submit(&j->job);
}

/* --- finding the token --- */

/* One field's value; the same token may come twice. false: *why. */
static bool find_in_field(const char *scheme, struct span value, struct buf *text, const char **why)
{
    struct challenge_list list;
    struct span rest = value;
    bool good = true;
    bool ours = span_ieq(span_word(&rest), span_str(scheme));
    challenge_list_read(&list, value);
    if (ours && list.bad) {
        *why = "its token is malformed";
        good = false;
    }
    for (size_t i = 0; good && i < list.n; i++) {
        const struct challenge *ch = &list.items[i];
        struct span token = span_str(ch->token68);
        if (!challenge_is(ch, scheme) || (!token.n && !ch->n_params))
            continue;
        if (ch->n_params)
            *why = "its token is malformed";
        else if (text->n && !span_eq(buf_span(text), token))
            *why = "it sent two tokens";
        else if (text->n || buf_add_span(text, token))
            continue;
        good = false;
    }
    challenge_list_free(&list);
    return good;
}

void mutual_check(struct context *c, struct span lines, struct span info)
{
    struct buf text = {.max = FRAME_MAX}, token = {.max = FRAME_MAX};
    const char *why = "its token is not base64";
    bool good = true;
    while (good && lines.n)
        good = find_in_field(speak_scheme_name(c), span_cut(&lines, '\n'), &text, &why);
    while (good && info.n)
        good = find_in_field(speak_scheme_name(c), span_cut(&info, '\n'), &text, &why);
    good = good && base64_decode(&token, buf_span(&text));
    if (good && token.n && c->handshake)
        verify(c, &token);
    else
        settle(c, good ? PROOF_NONE : PROOF_WRONG, why);
    buf_free(&text);
    buf_free(&token);
}
