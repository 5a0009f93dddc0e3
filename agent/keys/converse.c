/*
 * What to answer: when to speak first, which scheme, what a challenge means in each phase of a handshake, and what the guard says before anything
 * that counts leaves. Every function here ends with the question answered, parked, or at a worker. Main thread.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/log.h"
#include "keys/choose.h"
#include "keys/context.h"
#include "keys/login.h"
#include "keys/speak.h"
#include "keys/words.h"
#include "wire/frame.h"

#define STALE_MAX 2
#define SHY_MS    (10 * 60 * 1000)

static struct span site_of(const struct context *c)
{
    return guard_site(buf_span(&c->q.target));
}

static void broken(struct context *c, const char *why)
{
    struct buf text = {0};
    words_sentence(&text, why);
    c->phase = PHASE_DEAD;
    if (c->attempt.guard) {
        identities_wake_guard(c->who->k, c->attempt.guard);
        guard_dropped(&c->attempt, now_ms());
        deadline_unset(&c->aging);
    }
    if (c->candidate)
        login_note(c->e, KEYS_BROKEN, c->hop->text, why);
    log_warning(NULL, "upstream %s, %s: %s", c->who->name, c->hop->text, why);
    context_answer_plain(c, KEYS_BROKEN, buf_cstr(&text), NULL);
    buf_free(&text);
}

/* The attempt ends without saying anything about the secret. */
static void pass(struct context *c)
{
    deadline_unset(&c->aging);
    if (c->attempt.guard)
        identities_wake_guard(c->who->k, c->attempt.guard);
    guard_passed(&c->attempt);
}

static void restart(struct context *c)
{
    c->phase = PHASE_DEAD;
    context_answer_plain(c, KEYS_RESTART, NULL, NULL);
}

static void send_bare(struct context *c, uint32_t flags)
{
    context_answer(c, &(struct answer){.verdict = KEYS_SEND, .flags = flags});
}

static void refuse(struct context *c, enum keys_verdict verdict, const struct guard *g)
{
    struct buf why = {0}, remedy = {0};
    if (verdict == KEYS_SITE_REFUSED)
        words_site_refused(c->e, c->hop->text, &why, &remedy);
    else
        words_refused(c->e, g, &why, &remedy);
    if (c->candidate)
        login_note(c->e, KEYS_REFUSED, g->refused_by ? g->refused_by : c->hop->text, buf_cstr(&why));
    context_answer_plain(c, verdict, buf_cstr(&why), buf_cstr(&remedy));
    buf_free(&why);
    buf_free(&remedy);
}

/* --- choosing --- */

static void unavailable(struct context *c)
{
    if (c->q.type == KEYS_AUTHORIZE) { /* the proxy may let this one through without */
        send_bare(c, 0);
        return;
    }
    struct buf why = {0}, remedy = {0};
    bool kerberos = c->q.tried & SCHEME_BIT(AUTH_NEGOTIATE);
    if (c->q.whys.n) {
        words_sentence(&why, buf_cstr(&c->q.whys));
        words_unavailable_remedy(c->e, kerberos, &remedy);
    } else {
        buf_addf(&why, "The proxy %s offers %s; none of these may be answered.", c->hop->text,
                 c->hop->offer_text && *c->hop->offer_text ? c->hop->offer_text : "no way to authenticate");
        buf_addf(&remedy, "Name one of them in auth = of upstream %s, if you accept it.", c->who->name);
    }
    if (c->candidate)
        login_note(c->e, KEYS_UNAVAILABLE, c->hop->text, buf_cstr(&why));
    context_answer_plain(c, KEYS_UNAVAILABLE, buf_cstr(&why), remedy.n ? buf_cstr(&remedy) : NULL);
    buf_free(&why);
    buf_free(&remedy);
}

static void note_why(struct context *c, enum auth_scheme scheme, const struct err *why)
{
    c->q.tried |= SCHEME_BIT(scheme);
    if (why->text[0] && !(c->q.whys.n && strstr(buf_cstr(&c->q.whys), why->text)))
        buf_addf(&c->q.whys, "%s%s", c->q.whys.n ? "; " : "", why->text);
}

static void park(struct context *c, const char *waits_for)
{
    c->stage = STAGE_CHOOSE;
    context_park(c, waits_for);
}

/* What the guards say before anything is prepared. true: answered or parked. A frozen password leaves Negotiate with the user's own ticket: that
   shows no password. */
static bool blocked(struct context *c)
{
    const struct edition *e = c->e;
    const struct guard *guards[] = {e->ticket_guard, e->guard};
    for (size_t i = 0; i < 2; i++) {
        enum guard_say say = guards[i] ? guard_look(guards[i], c->who->name, site_of(c), now_ms()) : GUARD_GO;
        if (say == GUARD_SITE) {
            refuse(c, KEYS_SITE_REFUSED, guards[i]);
            return true;
        }
        if (say != GUARD_FROZEN)
            continue;
        if (edition_look_again(c->e, c->q.since) == READY_WAIT) {
            park(c, "the provider of the password");
            return true;
        }
        if (guards[i] == e->ticket_guard) {
            refuse(c, KEYS_REFUSED, guards[i]);
            return true;
        }
        c->q.tried |= SCHEME_BIT(AUTH_NTLM) | SCHEME_BIT(AUTH_DIGEST) | SCHEME_BIT(AUTH_BASIC);
    }
    return false;
}

static void adopt_current(struct context *c)
{
    if (c->candidate || c->e == c->who->current || c->attempt.guard)
        return;
    context_reset(c);
    edition_unref(c->e);
    c->e = edition_ref(c->who->current);
    c->q.tried = 0;
}

static void gate(struct context *c);

static void start(struct context *c, enum auth_scheme scheme)
{
    struct err why = {0};
    c->scheme = scheme;
    if (schemes[scheme].step) {
        speak_token(c, SPAN(""));
        return;
    }
    switch (speak_header(c, &why)) {
    case SPOKEN:
        gate(c);
        break;
    case SPOKEN_NOTHING:
        send_bare(c, c->q.flags & KEYS_BODY_BIG ? KEYS_KNOCK : 0);
        break;
    case SPOKEN_NEED_BODY:
        context_answer_plain(c, KEYS_NEED_BODY, NULL, NULL);
        break;
    case SPOKEN_CANNOT:
        note_why(c, scheme, &why);
        c->stage = STAGE_CHOOSE;
        converse_run(c);
        break;
    case SPOKEN_BROKEN:
        broken(c, why.text);
        break;
    }
}

static void choose(struct context *c)
{
    adopt_current(c);
    if (blocked(c))
        return;
    for (;;) {
        struct err why = {0};
        const char *waits_for;
        enum auth_scheme scheme = choose_next(c->who->u, c->hop->offered, c->q.tried);
        if (scheme == AUTH_SCHEMES) {
            const struct guard *g = c->e->guard;
            if (g && guard_look(g, c->who->name, SPAN(""), now_ms()) == GUARD_FROZEN)
                refuse(c, KEYS_REFUSED, g);
            else
                unavailable(c);
            return;
        }
        switch (speak_prepare(c, scheme, &waits_for, &why)) {
        case READY_YES:
            start(c, scheme);
            return;
        case READY_WAIT:
            park(c, waits_for);
            return;
        case READY_REFUSED:
            refuse(c, KEYS_REFUSED, c->e->guard);
            return;
        case READY_NEVER:
            note_why(c, scheme, &why);
            unavailable(c);
            return;
        case READY_NO:
            note_why(c, scheme, &why);
            break;
        }
    }
}

/* --- what was made goes out, or not --- */

static void send_header(struct context *c, enum phase phase)
{
    c->phase = phase;
    context_answer(c, &(struct answer){.verdict = KEYS_SEND, .flags = c->header_flags, .header = secret_reveal(&c->header)});
}

static void paused(struct context *c)
{
    c->phase = PHASE_DEAD;
    context_answer_plain(c, KEYS_UNAVAILABLE,
                         "The proxy closed the connection several times when it saw the password, without saying yes or no. "
                         "To spare your account from being locked, nothing is tried for half a minute.",
                         NULL);
}

static void gate(struct context *c)
{
    struct guard *g = c->header_kind == GUARD_TICKET ? c->e->ticket_guard : c->e->guard;
    c->stage = STAGE_GATE;
    switch (guard_begin(g, c->who->name, site_of(c), c->header_kind, now_ms(), &c->attempt)) {
    case GUARD_GO:
        context_watch_attempt(c);
        send_header(c, PHASE_FINAL);
        break;
    case GUARD_WAIT:
        context_park(c, "the proxy, for another request with the same password,");
        break;
    case GUARD_FROZEN:
        c->phase = PHASE_DEAD;
        refuse(c, KEYS_REFUSED, g);
        break;
    case GUARD_SITE:
        c->phase = PHASE_DEAD;
        refuse(c, KEYS_SITE_REFUSED, g);
        break;
    case GUARD_PAUSED:
        paused(c);
        break;
    }
}

static void refused(struct context *c)
{
    struct guard *g = guard_ref(c->attempt.guard);
    c->phase = PHASE_DEAD;
    deadline_unset(&c->aging);
    if (!g) { /* a header that was free to use without asking, and now is not taken any more */
        g = guard_ref(c->e->guard);
        enum guard_say say = GUARD_FROZEN;
        if (g)
            say = guard_begin(g, c->who->name, site_of(c), GUARD_HEADER, now_ms(), &c->attempt);
        if (say != GUARD_GO) {
            if (g)
                refuse(c, say == GUARD_FROZEN ? KEYS_REFUSED : KEYS_SITE_REFUSED, g);
            else
                broken(c, "the proxy refuses a header that was never made");
            guard_unref(g);
            return;
        }
    }
    enum guard_fall fall = guard_settle_refused(c->who->k, &c->attempt, c->who->name, c->hop->text, false);
    refuse(c, fall == GUARD_FELL_SITE ? KEYS_SITE_REFUSED : KEYS_REFUSED, g);
    guard_unref(g);
}

/* A token that cannot be made. */
static void failed(struct context *c, bool service, const struct err *why)
{
    if (c->phase == PHASE_LEG || c->phase == PHASE_FINAL) {
        broken(c, why->text);
        return;
    }
    context_reset(c);
    c->stage = STAGE_CHOOSE;
    if (service) { /* else the proxy's own note of it leads to another way */
        note_why(c, c->scheme, why);
        if (c->scheme == AUTH_NEGOTIATE)
            edition_doubt_ticket(c->e);
    }
    converse_run(c);
}

/* The proxy speaks another NTLM dialect under the name Negotiate than we tried. */
static void learn_dialect(struct context *c, bool raw)
{
    unsigned ntlm = SCHEME_BIT(AUTH_NTLM);
    bool better = choose_next(c->who->u, c->hop->offered & ntlm, 0) == AUTH_NTLM;
    if (raw || (!better && !c->hop->raw_negotiate))
        c->hop->raw_negotiate = true;
    else
        c->hop->no_spnego_ntlm = true;
}

void converse_spoke(struct context *c, enum scheme_outcome outcome, bool service, const struct err *why)
{
    switch (outcome) {
    case SCHEME_MORE:
        send_header(c, PHASE_LEG);
        break;
    case SCHEME_PASSWORD:
    case SCHEME_TICKET:
        gate(c);
        break;
    case SCHEME_REJECTED:
        if (c->attempt.guard)
            refused(c);
        else
            broken(c, why->text);
        break;
    case SCHEME_RAW:
        pass(c);
        learn_dialect(c, true);
        restart(c);
        break;
    case SCHEME_BROKEN:
        broken(c, why->text);
        break;
    case SCHEME_FAILED:
        failed(c, service, why);
        break;
    }
}

/* --- questions --- */

void converse_begin(struct context *c)
{
    bool let_in = c->phase == PHASE_IN && schemes[c->scheme].binds;
    if (c->who->u->n_auth == 0 || let_in || !c->hop->known || c->hop->shy_until > now_ms()) {
        send_bare(c, 0);
        return;
    }
    pass(c); /* an earlier request's attempt whose verdict was not told */
    context_reset(c);
    c->unasked = true;
    c->stage = STAGE_CHOOSE;
    converse_run(c);
}

static void learn_offer(struct context *c)
{
    struct buf text = {0};
    if (c->challenges.n == 0)
        return;
    choose_describe(&c->challenges, &text);
    free(c->hop->offer_text);
    c->hop->offer_text = span_dup(buf_span(&text));
    c->hop->offered = choose_offered(&c->challenges);
    c->hop->known = true;
    buf_free(&text);
}

static void first_challenge(struct context *c)
{
    bool closed = c->q.flags & KEYS_CLOSED;
    learn_offer(c);
    if (c->challenges.n == 0) {
        broken(c, c->challenges.bad ? "the proxy's challenges are malformed"
                                    : "the proxy asks for authentication, but does not say which (no Proxy-Authenticate field)");
    } else if (closed) {
        speak_keep_nonce(c);
        restart(c);
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
        broken(c, "the proxy closed the connection in the middle of the handshake");
    else if (!base64_decode(&token, span_str(ch->token68)))
        broken(c, "the proxy's token is not base64");
    else {
        pass(c);
        speak_token(c, buf_span(&token));
    }
    buf_free(&token);
}

/* A first token got no token back: nothing was shown, so nothing was refused. */
static void leg_ignored(struct context *c)
{
    bool closed = c->q.flags & KEYS_CLOSED;
    learn_offer(c);
    if (c->scheme == AUTH_NEGOTIATE && !c->hop->no_spnego_ntlm && ours(c)) {
        learn_dialect(c, false);
        restart(c);
    } else if (c->again && !closed) {
        restart(c); /* a connection that was let in and now is not: its own handshake is spoilt */
    } else if (c->unasked && !closed) {
        c->hop->shy_until = now_ms() + SHY_MS;
        restart(c);
    } else {
        broken(c, closed ? "the proxy closes the connection instead of going on with the handshake"
                         : "the proxy does not go on with the handshake");
    }
}

static void digest_verdict(struct context *c)
{
    const struct challenge *ch = choose_challenge(&c->challenges, AUTH_DIGEST);
    const char *stale = ch ? challenge_param(ch, "stale") : NULL;
    if (!stale || !span_ieq(span_str(stale), SPAN("true"))) {
        refused(c);
        return;
    }
    if (++c->stale > STALE_MAX) {
        broken(c, "the proxy calls each nonce stale as soon as it is used");
        return;
    }
    pass(c);
    if (c->q.flags & KEYS_CLOSED) {
        speak_keep_nonce(c);
        restart(c);
        return;
    }
    start(c, AUTH_DIGEST);
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
    bool ignored = !ch && c->challenges.n && c->header_kind != GUARD_TOKEN && c->mismatches++ == 0;
    if (!ignored) {
        refused(c);
        return;
    }
    pass(c);
    if (ticket || c->q.flags & KEYS_CLOSED)
        restart(c);
    else
        first_challenge(c);
}

void converse_challenged(struct context *c)
{
    const struct challenge *ch = ours(c);
    if (c->who->u->n_auth == 0) {
        learn_offer(c);
        unavailable(c);
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
        first_challenge(c);
        break;
    default:
        first_challenge(c);
        break;
    }
}

static const char *words_of(const struct context *c)
{
    if (c->scheme == AUTH_DIGEST)
        return c->hop->digest_words;
    if (c->scheme != AUTH_NEGOTIATE)
        return schemes[c->scheme].name;
    return c->raw ? "Negotiate (raw NTLM)" : c->header_kind == GUARD_TICKET ? "Negotiate (Kerberos)" : "Negotiate (NTLM)";
}

static void learn_success(struct context *c)
{
    struct hop *h = c->hop;
    struct guard *g = guard_ref(c->attempt.guard);
    deadline_unset(&c->aging);
    guard_accepted(&c->attempt);
    if (!h->worked[0] || h->worked_scheme != c->scheme || h->worked_generation != c->e->generation)
        log_info(NULL, "upstream %s, %s: %s accepted by %s", c->who->name, h->text, identity_text(c->e), words_of(c));
    snprintf(h->worked, sizeof h->worked, "%s", words_of(c));
    h->worked_scheme = c->scheme;
    h->worked_generation = c->e->generation;
    if (g) {
        if (c->who->k->marks.n)
            marks_remove(&c->who->k->marks, g->account, g->mark);
        identities_wake_guard(c->who->k, g);
    }
    guard_unref(g);
    if (c->candidate)
        login_note(c->e, KEYS_OK, h->text, NULL);
}

void converse_accepted(struct context *c, struct span info)
{
    if (c->phase == PHASE_FINAL) {
        learn_success(c);
        c->phase = PHASE_IN;
        c->stale = c->mismatches = 0;
        c->again = false;
        context_reset(c);
    } else if (c->phase == PHASE_LEG) { /* let through without the rest of the handshake */
        c->phase = PHASE_FRESH;
        context_reset(c);
    }
    if (c->scheme != AUTH_DIGEST)
        return;
    while (info.n)
        if (!digest_take_info(c->hop->digest, span_cut(&info, '\n')))
            log_warning(NULL, "upstream %s, %s: the proxy's Digest proof of itself is wrong", c->who->name, c->hop->text);
}

void converse_run(struct context *c)
{
    if (!c->who->u)
        broken(c, "the upstream is gone from the configuration");
    else if (c->stage == STAGE_CHOOSE)
        choose(c);
    else if (c->stage == STAGE_GATE)
        gate(c);
}
