/*
 * What a 407 means in each phase of a handshake, and what an accepted request teaches: the offer, the proxy's dialect, a
 * refusal, a stale nonce, or just the next leg. Main thread.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/log.h"
#include "keys/ahead.h"
#include "keys/alarm.h"
#include "keys/aside.h"
#include "keys/choose.h"
#include "keys/converse.h"
#include "keys/decline.h"
#include "keys/visitor.h"
#include "keys/login.h"
#include "keys/mutual.h"
#include "keys/speak.h"
#include "wire/frame.h"

#define STALE_MAX 2
#define SHY_MS    (10 * 60 * 1000)

void converse_learn_dialect(struct context *c, bool raw)
{
    unsigned ntlm = SCHEME_BIT(AUTH_NTLM);
    bool better = choose_next(c->who->u, c->hop->offered & ntlm, 0) == AUTH_NTLM;
    if (raw || (!better && !c->hop->raw_negotiate))
        c->hop->raw_negotiate = true;
    else
        c->hop->no_spnego_ntlm_until = now_ms() + SHY_MS; /* or was it too busy to answer? */
}

static void learn_offer(struct context *c)
{
    struct buf text = {0};
    if (c->challenges.n == 0)
        return;
    if (c->q.flags & KEYS_SOCKS)
        buf_add_str(&text, "user and password (basic)");
    else
        choose_describe(&c->challenges, &text);
    free(c->hop->offer_text);
    c->hop->offer_text = span_dup(buf_span(&text));
    c->hop->offered = choose_offered(&c->challenges);
    c->hop->digest_level = choose_digest_level(&c->challenges);
    c->hop->known = true;
    buf_free(&text);
}

static void first_challenge(struct context *c)
{
    bool closed = c->q.flags & KEYS_CLOSED;
    learn_offer(c);
    if (c->challenges.n == 0) {
        converse_broken(c, c->challenges.bad
                               ? "the proxy's challenges are malformed"
                               : "the proxy asks for authentication, but has no Proxy-Authenticate field");
    } else if (closed) {
        speak_keep_nonce(c);
        converse_restart(c);
    } else {
        context_reset(c);
        c->again = c->again || c->phase == PHASE_IN;
        c->phase = PHASE_FRESH;
        c->stage = STAGE_CHOOSE;
        converse_run(c);
    }
}

static const struct challenge *ours(const struct context *c)
{
    for (size_t i = 0; i < c->challenges.n; i++)
        if (challenge_is(&c->challenges.items[i], speak_scheme_name(c)))
            return &c->challenges.items[i];
    return NULL;
}

static void next_leg(struct context *c, const struct challenge *ch)
{
    struct buf token = {.max = FRAME_MAX};
    if (c->q.flags & KEYS_CLOSED)
        converse_broken(c, "the proxy closed the connection in the middle of the handshake");
    else if (!base64_decode(&token, span_str(ch->token68)))
        converse_broken(c, "the proxy's token is not base64");
    else {
        converse_pass(c);
        speak_token(c, buf_span(&token));
    }
    buf_free(&token);
}

/* A first token got no token back: nothing was shown, so nothing was refused. */
static void leg_ignored(struct context *c)
{
    bool closed = c->q.flags & KEYS_CLOSED;
    learn_offer(c);
    if (c->scheme == AUTH_NEGOTIATE && c->hop->no_spnego_ntlm_until <= now_ms() && ours(c)) {
        converse_learn_dialect(c, false);
        converse_restart(c);
    } else if (c->again && !closed) {
        converse_restart(c); /* a connection that was let in and now is not: its own handshake is spoilt */
    } else if (c->unasked && !closed) {
        c->hop->shy_until = now_ms() + SHY_MS;
        converse_restart(c);
    } else {
        converse_broken(c, closed ? "the proxy closes the connection instead of going on with the handshake"
                                  : "the proxy does not go on with the handshake");
    }
}

static void digest_verdict(struct context *c)
{
    const struct challenge *ch = choose_challenge(&c->challenges, AUTH_DIGEST);
    const char *stale = ch ? challenge_param(ch, "stale") : NULL;
    if (!stale || !span_ieq(span_str(stale), SPAN("true"))) {
        converse_refused(c);
        return;
    }
    if (++c->stale > STALE_MAX) {
        converse_broken(c, "the proxy calls each nonce stale as soon as it is used");
        return;
    }
    converse_pass(c);
    /* Such an answer often names Digest alone, which says nothing about the rest of the offer; but a weaker Digest has to pass the floor. */
    if (choose_digest_level(&c->challenges) < c->hop->digest_level)
        learn_offer(c);
    if (c->q.flags & KEYS_CLOSED) {
        speak_keep_nonce(c);
        converse_restart(c);
        return;
    }
    if (!decline_downgraded(c))
        converse_start(c, AUTH_DIGEST);
}

/* The verdict on what counts: a challenge again. */
static void verdict(struct context *c)
{
    const struct challenge *ch = ours(c);
    bool ticket = c->attempt.guard && c->attempt.kind == GUARD_TICKET;
    if (ch && ch->token68 && schemes[c->scheme].step && ticket) {
        next_leg(c, ch);
        return;
    }
    if (c->scheme == AUTH_DIGEST && ch) {
        digest_verdict(c);
        return;
    }
    learn_offer(c);
    /* It does not even offer what we sent: it did not look at it. Once: a proxy that changes its mind each time gets nothing more. */
    bool ignored = !ch && c->challenges.n && c->header_kind != GUARD_TOKEN && c->mismatches++ == 0 &&
                   guard_overlooked(&c->attempt);
    if (!ignored) {
        converse_refused(c);
        return;
    }
    converse_pass(c);
    if (ticket || c->q.flags & KEYS_CLOSED)
        converse_restart(c);
    else
        first_challenge(c);
}

void converse_challenged(struct context *c)
{
    const struct challenge *ch = ours(c);
    if (c->who->u->n_auth == 0) {
        learn_offer(c);
        decline_unavailable(c);
        return;
    }
    bool stale = c->ahead && ahead_is_stale(c);
    c->ahead = false;
    if (stale) {
        converse_restart(c);
        return;
    }
    switch (c->phase) {
    case PHASE_LEG:
        if (ch && ch->token68)
            next_leg(c, ch);
        else
            leg_ignored(c);
        break;
    case PHASE_FINAL:
        verdict(c);
        break;
    case PHASE_IN:
        if (c->scheme == AUTH_BASIC && ch) {
            verdict(c); /* the header went out again by itself */
            break;
        }
        if (c->let_in_aside) {
            aside_in_vain(c, guard_site(buf_span(&c->q.target)));
            converse_restart(c);
            break;
        }
        first_challenge(c);
        break;
    default:
        first_challenge(c);
        break;
    }
}

const char *verdict_words(const struct context *c)
{
    if (c->scheme == AUTH_DIGEST)
        return c->hop->digest_words;
    if (c->header_kind == GUARD_PAIR)
        return "user and password (SOCKS)";
    if (c->scheme != AUTH_NEGOTIATE)
        return schemes[c->scheme].name;
    return c->raw                           ? "Negotiate (raw NTLM)"
           : c->header_kind != GUARD_TICKET ? "Negotiate (NTLM)"
           : c->proved                      ? "Negotiate (Kerberos, mutual)"
                                            : "Negotiate (Kerberos)";
}

static enum floor_level level_of(const struct context *c)
{
    switch (c->scheme) {
    case AUTH_NEGOTIATE:
        return c->header_kind == GUARD_TICKET ? FLOOR_KERBEROS : FLOOR_NTLM;
    case AUTH_NTLM:
        return FLOOR_NTLM;
    case AUTH_DIGEST:
        return c->hop->digest_spoken;
    default:
        return FLOOR_BASIC;
    }
}

static void learn_success(struct context *c)
{
    struct hop *h = c->hop;
    struct guard *g = guard_ref(c->attempt.guard);
    guard_accepted(&c->attempt);
    alarm_learn(c->who, h, level_of(c));
    if (!h->worked[0] || h->worked_scheme != c->scheme || h->worked_generation != c->e->generation)
        log_info(NULL, "upstream %s, %s: %s accepted by %s", c->who->name, h->text, identity_text(c->e),
                 verdict_words(c));
    snprintf(h->worked, sizeof h->worked, "%s", verdict_words(c));
    h->worked_scheme = c->scheme;
    h->worked_generation = c->e->generation;
    if (g) {
        /* A success that was under way when the secret was frozen does not thaw it, neither here nor on the disk. */
        if (c->who->k->marks.n && guard_look(g, c->who->name, SPAN(""), now_ms()) != GUARD_FROZEN)
            marks_remove(&c->who->k->marks, g->account, g->mark, c->who->name);
        identities_wake_guard(c->who->k, g);
    }
    guard_unref(g);
    if (c->who->visitor)
        visitor_proved(c->who);
    if (c->candidate)
        login_note(c->e, KEYS_OK, h->text, NULL);
}

static void accepted(struct context *c)
{
    learn_success(c);
    c->phase = PHASE_IN;
    c->stale = c->mismatches = 0;
    if (c->aside)
        aside_accepted(c, c->q.flags & KEYS_CLOSED);
    c->again = c->hop->unproved = false;
    context_reset(c);
}

void converse_trusted(struct context *c)
{
    accepted(c);
    context_answer_plain(c, KEYS_OK, NULL, NULL);
}

void converse_accepted(struct context *c, struct span lines, struct span info)
{
    if (c->phase != PHASE_IN && c->header_flags & KEYS_FINAL) {
        mutual_check(c, lines, info);
        return;
    }
    if (c->phase == PHASE_FINAL) {
        accepted(c);
    } else if (c->phase == PHASE_LEG) { /* let through without the rest of the handshake */
        c->phase = PHASE_FRESH;
        context_reset(c);
    } else if (c->q.flags & KEYS_CLOSED && c->let_in_aside) { /* the connection ended behind the answer */
        aside_accepted(c, true);
    }
    while (c->scheme == AUTH_DIGEST && info.n)
        if (!digest_take_info(c->hop->digest, span_cut(&info, '\n')))
            log_warning(NULL, "upstream %s, %s: the proxy's Digest proof of itself is wrong", c->who->name,
                        c->hop->text);
    context_answer_plain(c, KEYS_OK, NULL, NULL);
}
