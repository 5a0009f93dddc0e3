/*
 * The answers that say no: the secret or the site was refused, there is nothing to answer with, the offer is too weak. Each ends the question with a sentence
 * and a remedy, and tells a login under way. Main thread.
 */
#include "keys/decline.h"

#include "keys/alarm.h"
#include "keys/choose.h"
#include "keys/converse.h"
#include "keys/login.h"
#include "keys/mutual.h"
#include "keys/words.h"

/* Does the password come from a person at exeat login? One of a gateway's user does where there is a keyring to keep it. */
static uint32_t login_helps(const struct context *c, bool password)
{
    enum secret_source source = c->who->u && !c->who->visitor ? c->who->u->secret : SECRET_NONE;
    bool typed = secret_source_is_keyring(source) || (source == SECRET_PROMPT && !c->who->resident);
    return password && typed ? KEYS_LOGIN_HELPS : 0;
}

void decline_refused(struct context *c, enum keys_verdict verdict, const struct guard *g)
{
    struct buf why = {0}, remedy = {0};
    uint32_t flags = login_helps(c, verdict == KEYS_REFUSED && g && g != c->e->ticket_guard);
    if (verdict == KEYS_SITE_REFUSED && g)
        words_site_refused(c->e, g == c->e->ticket_guard, c->hop->text, &why, &remedy);
    else if (verdict == KEYS_SITE_REFUSED)
        buf_addf(&why, "The proxy %s took the Kerberos ticket of %s, and refused this site all the same.",
                 c->hop->text, identity_text(c->e));
    else
        words_refused(c->e, g, &why, &remedy);
    if (c->candidate && g)
        login_note(c->e, KEYS_REFUSED, g->refused_by ? g->refused_by : c->hop->text, buf_cstr(&why));
    context_answer(c, &(struct answer){.verdict = verdict,
                                       .flags = flags,
                                       .why = buf_cstr(&why),
                                       .remedy = remedy.n ? buf_cstr(&remedy) : NULL});
    buf_free(&why);
    buf_free(&remedy);
}

void decline_unavailable(struct context *c)
{
    if (c->q.type == KEYS_AUTHORIZE && !mutual_required(c)) { /* the proxy may let this one through without */
        converse_bare(c, 0);
        return;
    }
    struct buf why = {0}, remedy = {0};
    bool kerberos = c->q.tried & SCHEME_BIT(AUTH_NEGOTIATE);
    bool named = choose_allows(c->who->u, AUTH_BASIC),
         held_back =
             choose_holds_back_basic(c->who->u, c->hop->offered, span_str(c->hop->host), c->hop->port);
    if (c->q.whys.n) {
        words_sentence(&why, buf_cstr(&c->q.whys));
        words_unavailable_remedy(c->e, kerberos, &remedy);
    } else {
        buf_addf(&why, "The proxy %s offers %s; none of these may be answered.", c->hop->text,
                 c->hop->offer_text && *c->hop->offer_text ? c->hop->offer_text : "no way to authenticate");
        if (mutual_required(c))
            buf_addf(&remedy, "Upstream %s says mutual = require, which only Kerberos (Negotiate) can do.",
                     c->who->name);
        else if (!held_back || !named)
            buf_addf(&remedy, "Name one of them in auth = of upstream %s, if you accept it.", c->who->name);
    }
    if (held_back && !mutual_required(c) && (named || !c->q.whys.n))
        words_basic_in_clear(c->who, &why, &remedy);
    if (c->candidate)
        login_note(c->e, KEYS_UNAVAILABLE, c->hop->text, buf_cstr(&why));
    bool unreachable = kerberos && c->e->ticket_result == TICKET_UNREACHABLE;
    bool absent = c->q.whys.n && c->e->secret_state == PART_FAILED && c->e->secret_kind == PROVIDED_ABSENT;
    context_answer(c, &(struct answer){.verdict = unreachable ? KEYS_TIMEOUT : KEYS_UNAVAILABLE,
                                       .flags = unreachable ? 0 : login_helps(c, absent),
                                       .why = buf_cstr(&why),
                                       .remedy = remedy.n ? buf_cstr(&remedy) : NULL});
    buf_free(&why);
    buf_free(&remedy);
}

bool decline_downgraded(struct context *c)
{
    if (!alarm_rings(c->who, c->hop))
        return false;
    /* The last offer was too weak; the answer to this request shows whether it still is. */
    if (c->q.type == KEYS_AUTHORIZE) {
        converse_bare(c, mutual_required(c) ? KEYS_FINAL | KEYS_KNOCK : 0);
        return true;
    }
    struct buf why = {0}, remedy = {0};
    alarm_describe(c->who, c->hop, &why, &remedy);
    if (c->candidate)
        login_note(c->e, KEYS_DOWNGRADED, c->hop->text, buf_cstr(&why));
    context_answer_plain(c, KEYS_DOWNGRADED, buf_cstr(&why), buf_cstr(&remedy));
    buf_free(&why);
    buf_free(&remedy);
    return true;
}

void decline_paused(struct context *c)
{
    c->phase = PHASE_DEAD;
    context_answer_plain(c, KEYS_UNAVAILABLE,
                         "The proxy was shown the password several times and said neither yes nor no: it "
                         "closed the connection, "
                         "or did not answer. "
                         "To spare your account from being locked, nothing is tried for a while: half a "
                         "minute at first, longer each time.",
                         NULL);
}

void decline_site(struct context *c)
{
    c->phase = PHASE_DEAD;
    if (c->candidate)
        login_note(c->e, KEYS_OK, c->hop->text, NULL);
    decline_refused(c, KEYS_SITE_REFUSED, NULL);
}
