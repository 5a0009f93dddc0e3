/*
 * The keyholder's word on an ask: what goes with the request, what its 407 means, whether the proxy that took the credentials is the right one. Its
 * answers come here and become moves of the ask.
 */
#include <stdio.h>

#include "upstream/ask_inside.h"
#include "upstream/ask_keys.h"

static bool has_body(const struct ask *a)
{
    return a->request.body != ASK_BODY_NONE;
}

static void keys_failed(struct ask *a, const struct keys_msg *answer)
{
    struct ask_failure failure = {.cause = ask_keys_cause(answer->verdict),
                                  .why = answer->why,
                                  .remedy = answer->remedy,
                                  .upstream = a->hop->upstream,
                                  .login_helps = answer->flags & KEYS_LOGIN_HELPS,
                                  .generation = answer->generation};
    if (answer->verdict == KEYS_REFUSED)
        a->out->counters.refusals++;
    if (answer->verdict == KEYS_DOWNGRADED)
        a->out->counters.alarms++;
    news_tell(a->out);
    ask_end(a, &failure);
}

static void keys_answered(void *owner, const struct keys_msg *answer)
{
    struct ask *a = owner;
    switch (answer->verdict) {
    case KEYS_SEND:
        a->flags = answer->flags;
        secret_free(&a->header);
        if (answer->header.n)
            secret_set(&a->header, answer->header);
        snprintf(a->scheme, sizeof a->scheme, "%.*s", SPAN_ARG(answer->scheme));
        if (a->body_lost)
            ask_begin_again(a); /* says so */
        else
            ask_send_leg(a);
        break;
    case KEYS_RESTART:
        ask_begin_again(a);
        break;
    case KEYS_NEED_BODY:
        if (a->body_held || !has_body(a))
            ask_fail(a, PAGE_INTERNAL, SPAN("the keyholder wants a body that it has"), SPAN(""));
        else
            a->events->body_gather(a->owner);
        break;
    default:
        keys_failed(a, answer);
    }
}

static void opened(void *owner, const struct keys_msg *answer)
{
    struct ask *a = owner;
    if (answer->verdict == KEYS_RESTART) { /* the keyholder died: its next life answers */
        ask_begin_again(a);
    } else if (answer->verdict != KEYS_OK) {
        keys_failed(a, answer);
    } else {
        ask_keys_opened(a->upstream, answer);
        ask_keys_authorize(a, keys_answered);
    }
}

static void nobody(struct ask *a)
{
    struct ask_failure failure;
    struct unreached why = ask_keys_nobody();
    ask_failure_from(&failure, &why);
    ask_end(a, &failure);
}

void verdict_prepare(struct ask *a)
{
    struct upstream *u = a->upstream;
    a->flags = 0;
    secret_free(&a->header);
    if (!a->hop->authenticates || u->let_in) {
        ask_send_leg(a);
        return;
    }
    if (secret_present(&u->header)) {
        secret_set(&a->header, secret_reveal(&u->header));
        ask_send_leg(a);
        return;
    }
    ask_move(a, ASK_THINK);
    if (u->challenge.n)
        ask_keys_kept(a, keys_answered);
    else if (upstream_has_context(u))
        ask_keys_authorize(a, keys_answered);
    else if (!ask_keys_open(a, opened))
        nobody(a);
}

void verdict_challenged(struct ask *a)
{
    if (!upstream_has_context(
            a->upstream)) { /* the keyholder was restarted meanwhile and knows nothing of it */
        ask_begin_again(a);
        return;
    }
    ask_move(a, ASK_THINK);
    ask_keys_challenged(a, a->broken, keys_answered);
}

void ask_body_gathered(struct ask *a, bool whole, struct span body)
{
    a->body_held = whole;
    a->gathered = body;
    if (!whole) {
        ask_fail(
            a, PAGE_BODY_LOST,
            SPAN("the proxy wants the body to be covered by the credentials (Digest auth-int), and it is "
                 "too large for that"),
            SPAN("ask the administrator to offer qop=auth as well"));
        return;
    }
    ask_keys_repeat(a, keys_answered);
}

/* What the credentials are worth from now on is what their flags said. */
static void let_in(struct ask *a)
{
    struct upstream *u = a->upstream;
    if (!u->credited)
        a->out->counters.handshakes++;
    if (a->scheme[0]) /* a reused header has its own already */
        memcpy(u->scheme, a->scheme, sizeof u->scheme);
    u->credited = true;
    if (a->flags &
        KEYS_BINDS) /* should it not be so after all (a knock let through by an exemption), the next 407 says so */
        u->let_in = true;
    if (a->flags & KEYS_REUSABLE)
        secret_set(&u->header, secret_reveal(&a->header));
}

static void final_checked(void *owner, const struct keys_msg *answer)
{
    struct ask *a = owner;
    if (answer->verdict == KEYS_OK) {
        a->trusted = true;
        let_in(a);
        ask_go_on(a);
    } else if (answer->verdict == KEYS_RESTART && ask_may_repeat(a)) {
        ask_begin_again(a); /* the keyholder died over it */
    } else if (answer->verdict == KEYS_RESTART) {
        ask_fail(a, PAGE_INTERNAL, SPAN("the proxy's proof of who it is could not be checked"),
                 SPAN("it is not known whether the request was carried out; look before you send it again"));
    } else {
        keys_failed(a, answer);
    }
}

void verdict_taken(struct ask *a)
{
    if (a->flags & KEYS_FINAL) {
        ask_move(a, ASK_THINK);
        ask_keys_check_final(a, final_checked);
        return;
    }
    let_in(a);
    if (!(a->flags & KEYS_ASIDE)) /* of an aside: when it is known whether it can be gone on with */
        ask_keys_accepted(a);
    ask_go_on(a);
}
