/*
 * What to answer: when to speak first, which scheme, and what the guard says before anything that counts leaves. (What a
 * challenge means is in verdict.c.) Every function here ends with the question answered, parked, or at a worker.
 * Main thread.
 */
#include "keys/converse.h"

#include "base/log.h"
#include "keys/ahead.h"
#include "keys/aside.h"
#include "keys/choose.h"
#include "keys/decline.h"
#include "keys/login.h"
#include "keys/mutual.h"
#include "keys/speak.h"
#include "keys/visitor.h"
#include "keys/words.h"

static struct span site_of(const struct context *c)
{
    return guard_site(buf_span(&c->q.target));
}

void converse_broken(struct context *c, const char *why)
{
    struct buf text = {0};
    words_sentence(&text, why);
    c->phase = PHASE_DEAD;
    c->aside = false;
    if (c->attempt.guard) {
        identities_wake_guard(c->who->k, c->attempt.guard);
        guard_dropped(&c->attempt, now_ms());
    }
    if (c->candidate)
        login_note(c->e, KEYS_BROKEN, c->hop->text, why);
    log_warning(NULL, "upstream %s, %s: %s", c->who->name, c->hop->text, why);
    context_answer_plain(c, KEYS_BROKEN, buf_cstr(&text), NULL);
    buf_free(&text);
}

/* The attempt ends without saying anything about the secret. */
void converse_pass(struct context *c)
{
    c->aside = false;
    if (c->attempt.guard)
        identities_wake_guard(c->who->k, c->attempt.guard);
    guard_passed(&c->attempt);
}

void converse_restart(struct context *c)
{
    c->phase = PHASE_DEAD;
    context_answer_plain(c, KEYS_RESTART, NULL, NULL);
}

void converse_bare(struct context *c, uint32_t flags)
{
    c->header_flags = flags;
    context_answer(c, &(struct answer){.verdict = KEYS_SEND, .flags = flags});
}

/* --- choosing --- */

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
        if (say != GUARD_SITE && say != GUARD_FROZEN)
            continue;
        if (edition_look_again(c->e, c->q.since) == READY_WAIT) {
            park(c, "the provider of the password");
            return true;
        }
        if (say == GUARD_SITE) {
            decline_refused(c, KEYS_SITE_REFUSED, guards[i]);
            return true;
        }
        if (guards[i] == e->ticket_guard) {
            decline_refused(c, KEYS_REFUSED, guards[i]);
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

void converse_start(struct context *c, enum auth_scheme scheme)
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
        converse_bare(c, c->q.flags & KEYS_BODY_BIG ? KEYS_KNOCK : 0);
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
        converse_broken(c, why.text);
        break;
    }
}

static void choose(struct context *c)
{
    adopt_current(c);
    if (decline_downgraded(c) || blocked(c))
        return;
    unsigned allowed = choose_allowed(c->who->u, span_str(c->hop->host), c->hop->port);
    for (;;) {
        struct err why = {0};
        const char *waits_for;
        unsigned unseen = mutual_required(c) && !c->hop->known ? SCHEME_BIT(AUTH_NEGOTIATE) : 0;
        enum auth_scheme scheme = choose_next(c->who->u, (c->hop->offered | unseen) & allowed, c->q.tried);
        if (scheme == AUTH_SCHEMES) {
            const struct guard *g = c->e->guard;
            if (g && guard_look(g, c->who->name, SPAN(""), now_ms()) == GUARD_FROZEN)
                decline_refused(c, KEYS_REFUSED, g);
            else
                decline_unavailable(c);
            return;
        }
        switch (speak_prepare(c, scheme, &waits_for, &why)) {
        case READY_YES:
            converse_start(c, scheme);
            return;
        case READY_WAIT:
            park(c, waits_for);
            return;
        case READY_REFUSED:
            decline_refused(c, KEYS_REFUSED, c->e->guard);
            return;
        case READY_NEVER:
            note_why(c, scheme, &why);
            decline_unavailable(c);
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
    context_answer(c, &(struct answer){.verdict = KEYS_SEND,
                                       .flags = c->header_flags | (c->aside ? KEYS_ASIDE | KEYS_KNOCK : 0),
                                       .header = secret_reveal(&c->header),
                                       .scheme = verdict_words(c)});
}

/* What a guard knows of is one pair; of a client's account there may be many. */
static bool is_too_many(struct context *c)
{
    if (!c->who->visitor || c->header_kind == GUARD_TICKET || visitor_may_show(c->who))
        return false;
    converse_pass(c);
    c->phase = PHASE_DEAD;
    context_answer_plain(c, KEYS_UNAVAILABLE, visitor_has_no_more, NULL);
    return true;
}

static void gate(struct context *c)
{
    struct guard *g = c->header_kind == GUARD_TICKET ? c->e->ticket_guard : c->e->guard;
    c->stage = STAGE_GATE;
    enum guard_say say = guard_begin(g, c->who->name, site_of(c), c->header_kind, now_ms(), &c->attempt);
    if (say == GUARD_LAST)
        say = aside_begin(c, g, site_of(c));
    switch (say) {
    case GUARD_GO:
        if (!is_too_many(c))
            send_header(c, PHASE_FINAL);
        break;
    case GUARD_WAIT:
    case GUARD_LAST:
        context_park(c, "the proxy, for another request with the same password,");
        break;
    case GUARD_FROZEN:
        c->phase = PHASE_DEAD;
        decline_refused(c, KEYS_REFUSED, g);
        break;
    case GUARD_SITE:
        c->phase = PHASE_DEAD;
        decline_refused(c, KEYS_SITE_REFUSED, g);
        break;
    case GUARD_PAUSED:
        decline_paused(c);
        break;
    }
}

void converse_refused(struct context *c)
{
    struct guard *g = guard_ref(c->attempt.guard);
    bool aside = c->aside;
    c->phase = PHASE_DEAD;
    c->aside = false;
    if (!g) { /* a header that was free to use without asking, and now is not taken any more */
        g = guard_ref(c->e->guard);
        enum guard_say say = GUARD_FROZEN;
        if (g)
            say = guard_begin(g, c->who->name, site_of(c), GUARD_HEADER, now_ms(), &c->attempt);
        if (say != GUARD_GO) {
            if (g)
                decline_refused(c, say == GUARD_FROZEN ? KEYS_REFUSED : KEYS_SITE_REFUSED, g);
            else
                converse_broken(c, "the proxy refuses a header that was never made");
            guard_unref(g);
            return;
        }
    }
    enum guard_fall fall = guard_settle_refused(c->who->k, &c->attempt, c->who->name, c->hop->text, false);
    if (fall == GUARD_FELL_SITE && g == c->e->guard)
        edition_doubt_secret(c->e, c->q.since);
    if (fall == GUARD_FELL_SITE && aside)
        converse_restart(c); /* the request itself has not been asked for yet */
    else
        decline_refused(c, fall == GUARD_FELL_SITE ? KEYS_SITE_REFUSED : KEYS_REFUSED, g);
    guard_unref(g);
}

/* A token that cannot be made. */
static void failed(struct context *c, bool service, const struct err *why)
{
    if (c->phase == PHASE_LEG || c->phase == PHASE_FINAL) {
        converse_broken(c, why->text);
        return;
    }
    const struct bundle *used = c->bundle;
    bool ticket = c->scheme == AUTH_NEGOTIATE && !c->ntlm_only && !c->raw;
    c->stage = STAGE_CHOOSE;
    if (service) { /* else the proxy's own note of it leads to another way */
        bool again = ticket && !c->q.doubted && used && !used->ticket.private;
        note_why(c, c->scheme, why);
        if (again) /* a kinit may have replaced it since it was found: once, not for ever */
            c->q.tried &= ~SCHEME_BIT(c->scheme);
        c->q.doubted = true;
        if (c->scheme == AUTH_NEGOTIATE && (!used || c->e->bundle == used))
            edition_doubt_ticket(c->e);
    }
    context_reset(c);
    converse_run(c);
}

void converse_spoke(struct context *c, enum scheme_outcome outcome, bool service, const struct err *why)
{
    if (ahead_wanted(c) && outcome != SCHEME_MORE) {
        context_reset(c);
        converse_bare(c, 0);
        return;
    }
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
            converse_refused(c);
        else
            converse_broken(c, why->text);
        break;
    case SCHEME_OVER:
        decline_site(c);
        break;
    case SCHEME_RAW:
        converse_pass(c);
        converse_learn_dialect(c, true);
        converse_restart(c);
        break;
    case SCHEME_BROKEN:
        converse_broken(c, why->text);
        break;
    case SCHEME_FAILED:
        failed(c, service, why);
        break;
    }
}

/* --- questions --- */

static void begin_ahead(struct context *c)
{
    adopt_current(c);
    c->ahead = ahead_prepare(c);
    if (!c->ahead) {
        converse_bare(c, 0);
        return;
    }
    c->unasked = true;
    speak_token(c, SPAN(""));
}

void converse_begin(struct context *c)
{
    bool let_in = c->phase == PHASE_IN && schemes[c->scheme].binds;
    bool quiet = !mutual_required(c) && (!c->hop->known || c->hop->shy_until > now_ms());
    if (c->who->u->n_auth == 0 || let_in || quiet) {
        converse_bare(c, 0);
        return;
    }
    converse_pass(c); /* an earlier request's attempt whose verdict was not told */
    context_reset(c);
    c->unasked = true;
    if (ahead_wanted(c)) {
        begin_ahead(c);
        return;
    }
    c->stage = STAGE_CHOOSE;
    converse_run(c);
}

void converse_run(struct context *c)
{
    if (!c->who->u)
        converse_broken(c, "the upstream is gone from the configuration");
    else if (!identity_names(c->who, c->hop))
        converse_broken(c, "the proxy is gone from the configuration");
    else if (c->stage == STAGE_CHOOSE)
        choose(c);
    else if (c->stage == STAGE_GATE)
        gate(c);
}
