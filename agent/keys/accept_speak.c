/*
 * The field taken apart (RFC 9110 sections 11.4 and 11.7.2), and the schemes that answer for themselves: Digest and Basic. Whatever is well-formed and not
 * enough gets fresh challenges; what is malformed gets a sentence.
 */
#include "keys/accept_speak.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "keys/deadline.h"
#include "keys/inbound.h"
#include "keys/words.h"

static const char *const names[AUTH_SCHEMES] = {
    [AUTH_NEGOTIATE] = "Negotiate", [AUTH_NTLM] = "NTLM", [AUTH_DIGEST] = "Digest", [AUTH_BASIC] = "Basic"};

#define ACCOUNT_MOST 256 /* bytes of a name by which wrong passwords are counted */

#define FIELD "The field Proxy-Authorization "

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void accept_say(struct accept_answer *a, enum keys_verdict verdict, const char *format, ...)
{
    char text[600];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    a->verdict = verdict;
    buf_clear(&a->why);
    words_sentence(&a->why, text);
}

char *accept_identity(const struct gate *g, struct span name)
{
    struct buf text = {0};
    bool plain = span_find(name, '\\') == name.n && span_find(name, '@') == name.n;
    if (g->domain && plain)
        buf_addf(&text, "%s\\", g->domain);
    buf_add_span(&text, name);
    char *identity = span_dup(buf_span(&text));
    buf_free(&text);
    return identity;
}

static bool is_token(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* "scheme SP credentials". false: malformed. */
static bool split(struct span field, struct span *scheme, struct span *rest)
{
    field = span_trim(field);
    size_t n = 0;
    while (n < field.n && is_token(field.p[n]))
        n++;
    *scheme = span_head(field, n);
    *rest = span_trim(span_from(field, n));
    return n > 0 && (n == field.n || field.p[n] == ' ');
}

static bool is_utf8(struct span s)
{
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t n = c < 0x80                ? 1
                   : c >= 0xc2 && c < 0xe0 ? 2
                   : (c & 0xf0) == 0xe0    ? 3
                   : c >= 0xf0 && c < 0xf5 ? 4
                                           : 0;
        if (n == 0 || n > s.n - i)
            return false;
        for (size_t k = 1; k < n; k++)
            if (((unsigned char)s.p[i + k] & 0xc0) != 0x80)
                return false;
        i += n;
    }
    return true;
}

/* For the log alone: what the client says may be anything. */
static char *claimed(struct span user)
{
    return user.n && user.n <= 256 && is_utf8(user) ? span_dup(user) : NULL;
}

static struct attempt attempt_at(const struct accept_question *q, const char *account)
{
    return (struct attempt){
        .gateway = q->gate->name, .account = account, .network = q->network, .now = now_ms()};
}

bool accept_may_try(const struct accept_question *q, struct accept_answer *a, enum auth_scheme scheme,
                    const char *account)
{
    struct attempt t = attempt_at(q, account);
    if (delay_allows(q->delays, &t))
        return true;
    accept_say(a, KEYS_REFUSED, "%s: so many wrong passwords were tried that this one was not looked at",
               names[scheme]);
    a->delay = DELAY_MOST_MS;
    return false;
}

void accept_was_wrong(const struct accept_question *q, struct accept_answer *a, const char *account)
{
    struct attempt t = attempt_at(q, account);
    a->delay = delay_after(q->delays, &t);
}

static void refuse_password(const struct accept_question *q, struct accept_answer *a, enum auth_scheme scheme,
                            const char *account)
{
    accept_say(a, KEYS_REFUSED, "%s: the user is unknown or the password wrong", names[scheme]);
    accept_was_wrong(q, a, account);
}

static void let_in(const struct gate *g, struct accept_answer *a, enum auth_scheme scheme, struct span user)
{
    a->verdict = KEYS_OK;
    a->scheme = names[scheme];
    a->identity = accept_identity(g, user);
    a->account = g->per_user ? inbound_account(g->domain, a->identity, false, false) : NULL;
}

static void accept_basic(const struct accept_question *q, const struct gate_hand *hand, struct span token68,
                         struct accept_answer *a)
{
    struct accept_basic b;
    const char *why;
    char *account = NULL;
    if (!accept_basic_read(&b, token68, &why))
        accept_say(a, KEYS_BROKEN, FIELD "%s", why);
    else
        account = users_account(SPAN(""), span_head(b.user, ACCOUNT_MOST), q->gate->domain);
    if (account && accept_may_try(q, a, AUTH_BASIC, account)) {
        if (!q->patient && !accept_basic_is_quick(hand->users, q->gate->memo, &b))
            a->slow = true;
        else if (accept_basic_check(hand->users, q->gate->memo, &b))
            let_in(q->gate, a, AUTH_BASIC, b.user);
        else
            refuse_password(q, a, AUTH_BASIC, account);
    }
    if (account && !a->identity)
        a->identity = claimed(b.user);
    free(account);
    accept_basic_free(&b);
}

/* What digest_gate_check asks before it compares. */
struct digest_try {
    const struct accept_question *q;
    struct accept_answer *a;
    char *account;
};

static bool try_digest(void *owner, struct span user)
{
    struct digest_try *t = owner;
    t->account = users_account(SPAN(""), span_head(user, ACCOUNT_MOST), t->q->gate->domain);
    return accept_may_try(t->q, t->a, AUTH_DIGEST, t->account);
}

static bool accept_digest(const struct accept_question *q, const struct gate_hand *hand, struct span header,
                          struct accept_answer *a)
{
    struct digest_try trial = {.q = q, .a = a};
    const struct digest_asked asked = {header,    buf_span(&q->method), buf_span(&q->target),
                                       wall_ms(), try_digest,           &trial};
    struct digest_result result;
    enum digest_judgement judgement = digest_gate_check(q->gate->digest, hand->users, &asked, &result);
    switch (judgement) {
    case DIGEST_RIGHT:
        let_in(q->gate, a, AUTH_DIGEST, span_str(result.user));
        buf_addf(&a->info, "%s\n", buf_cstr(&result.info));
        break;
    case DIGEST_BROKEN:
        accept_say(a, KEYS_BROKEN, FIELD "%s", result.why);
        break;
    case DIGEST_WRONG:
        refuse_password(q, a, AUTH_DIGEST, trial.account);
        a->identity = claimed(span_str(result.user));
        break;
    case DIGEST_UNTRIED:
        a->identity = claimed(span_str(result.user));
        break;
    case DIGEST_STALE: /* without a reason: the password is right, and the client does no wrong */
        a->verdict = KEYS_REFUSED;
        break;
    default:
        accept_say(a, KEYS_REFUSED, "Digest: it is for another realm or algorithm");
    }
    free(trial.account);
    free(result.user);
    buf_free(&result.info);
    return judgement == DIGEST_STALE;
}

static void no_scheme(struct accept_answer *a, struct span scheme)
{
    accept_say(a, KEYS_REFUSED, "%.*s is not a scheme that this gateway offers",
               SPAN_ARG(span_head(scheme, 40)));
}

/* Whether a fresh challenge says stale=true. */
static bool speak(const struct accept_question *q, const struct gate_hand *hand, struct accept_answer *a)
{
    struct span field = secret_reveal(&q->header), scheme, rest;
    if (!q->has_header) {
        a->verdict = KEYS_REFUSED;
        return false;
    }
    if (!split(field, &scheme, &rest)) {
        accept_say(a, KEYS_BROKEN, FIELD "names no scheme");
        return false;
    }
    unsigned which = 0;
    while (which < AUTH_SCHEMES && !span_ieq(scheme, span_str(names[which])))
        which++;
    if (which == AUTH_SCHEMES || !hand->works[which])
        no_scheme(a, scheme);
    else if (rest.n == 0)
        accept_say(a, KEYS_BROKEN, FIELD "names a scheme and nothing else");
    else if (which == AUTH_DIGEST)
        return accept_digest(q, hand, span_trim(field), a);
    else if (which == AUTH_BASIC)
        accept_basic(q, hand, rest, a);
    else
        accept_token(q, hand, (enum auth_scheme)which, rest, a);
    return false;
}

void accept_speak(const struct accept_question *q, struct accept_answer *a)
{
    struct gate_hand hand;
    bool stale = false;
    *a = (struct accept_answer){0};
    gate_reach(q->gate, &hand);
    if (q->opening)
        a->verdict = KEYS_OK;
    else if (hand.any)
        stale = speak(q, &hand, a);
    if (!hand.any) {
        accept_say(a, KEYS_UNAVAILABLE, "what this gateway checks its clients with is not in order");
        buf_addf(&a->remedy, "%s; %s",
                 hand.why.n ? buf_cstr(&hand.why) : "this gateway is configured to offer no scheme",
                 hand.remedy ? hand.remedy : "say auth in the configuration of this gateway");
    } else if (q->opening || a->verdict == KEYS_REFUSED) {
        gate_challenge(q->gate, &hand, stale, wall_ms(), &a->lines);
    }
    gate_hand_free(&hand);
}

void accept_answer_free(struct accept_answer *a)
{
    free(a->identity);
    free(a->account);
    handed_unref(a->handed);
    buf_free(&a->lines);
    buf_free(&a->info);
    buf_free(&a->why);
    buf_free(&a->remedy);
    *a = (struct accept_answer){0};
}

void accept_handshake_drop(struct accept_handshake *h)
{
    gss_entry_free(h->entry);
    buf_free(&h->asked);
    buf_free(&h->mended);
    buf_free(&h->challenge);
    buf_free(&h->evidence);
    *h = (struct accept_handshake){0};
}
