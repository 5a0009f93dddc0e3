/*
 * The 407 conversation (see ask.h). Every move goes through ask_move(), checked against a table. What the keyholder says decides; here stand only HTTP's
 * rules: what may be sent again, what a connection can still be used for, and where the loop ends.
 */
#include "upstream/ask.h"

#include "base/log.h"
#include "http/method.h"
#include "upstream/ask_inside.h"
#include "upstream/ask_keys.h"
#include "upstream/knock.h"
#include "upstream/unreachable.h"

#define DROP_407_BYTES   ((size_t)1 << 20) /* of a 407's body; more closes the connection */
#define DROP_KNOCK_BYTES ((size_t)64 << 10)
#define LEGS_MOST        10
#define RESTARTS_MOST    4

#define BIT(s)  (1u << (s))
#define ANY_END (BIT(ASK_LEASE) | BIT(ASK_FAILED) | BIT(ASK_IDLE))

static const struct {
    const char *name;
    unsigned next;
} states[ASK_STATES] = {
    [ASK_IDLE] = {"idle", BIT(ASK_LEASE)},
    [ASK_LEASE] = {"lease", BIT(ASK_THINK) | BIT(ASK_IN) | ANY_END},
    [ASK_THINK] = {"think", BIT(ASK_IN) | BIT(ASK_DRAIN) | BIT(ASK_DONE) | ANY_END},
    [ASK_IN] = {"in", BIT(ASK_DRAIN) | BIT(ASK_THINK) | BIT(ASK_DONE) | ANY_END},
    [ASK_DRAIN] = {"drain", BIT(ASK_THINK) | BIT(ASK_IN) | ANY_END},
    [ASK_DONE] = {"done", BIT(ASK_IDLE)},
    [ASK_FAILED] = {"failed", BIT(ASK_IDLE)},
};

void ask_move(struct ask *a, enum ask_state to)
{
    if (!(states[a->state].next & BIT(to)))
        log_error(a->tag, "a request cannot go from %s to %s", states[a->state].name, states[to].name);
    a->state = to;
}

/* --- ends --- */

/* The connection, if there is one, is of no more use. */
static void close_connection(struct ask *a)
{
    if (a->upstream && leg_gone(&a->leg))
        ask_keys_cut(a);
    leg_end(&a->leg);
    if (a->upstream)
        pool_close(a->upstream);
    a->upstream = NULL;
    secret_free(&a->header);
}

static void let_go(struct ask *a, enum ask_state end)
{
    lease_cancel(&a->lease);
    later_cancel(&a->begin);
    keys_call_cancel(&a->call);
    close_connection(a);
    ask_move(a, end);
}

void ask_end(struct ask *a, const struct ask_failure *failure)
{
    struct ask_failure told = *failure;
    struct hop *hop = a->hop;
    told.nothing_sent = !a->sent;
    a->hop = NULL;
    let_go(a, ASK_FAILED);
    a->events->failed(a->owner, &told);
    hop_unref(hop);
}

void ask_fail(struct ask *a, enum page_cause cause, struct span why, struct span remedy)
{
    ask_end(a, &(struct ask_failure){.cause = cause, .why = why, .remedy = remedy});
}

void ask_cancel(struct ask *a)
{
    if (a->state == ASK_IDLE)
        return;
    let_go(a, ASK_IDLE);
    hop_unref(a->hop);
    a->hop = NULL;
}

struct upstream *ask_take(struct ask *a)
{
    struct upstream *u = a->upstream;
    a->upstream = NULL;
    leg_end(&a->leg);
    secret_free(&a->header);
    ask_move(a, ASK_IDLE);
    hop_unref(a->hop); /* the connection holds one of its own */
    a->hop = NULL;
    return u;
}

struct span ask_scheme(const struct ask *a)
{
    const struct upstream *u = a->upstream;
    bool shown = u && (a->header_out || u->let_in);
    return shown ? span_str(u->scheme) : SPAN("");
}

/* --- a leg goes out --- */

static bool has_body(const struct ask *a)
{
    return a->request.body != ASK_BODY_NONE;
}

/* A body stays back when the keyholder expects a 407, or when nobody knows yet whether this hop asks and the body could not be sent twice. */
static bool must_knock(const struct ask *a)
{
    if (a->flags & KEYS_ASIDE)
        return true;
    if (!has_body(a) || !a->hop->authenticates)
        return false;
    if (a->flags & KEYS_KNOCK &&
        a->flags & KEYS_FINAL) /* the proof comes before the body, on each connection */
        return !a->trusted;
    if (a->knock_done)
        return false;
    if (a->flags & KEYS_KNOCK)
        return true;
    bool bare = !secret_present(&a->header) && !a->upstream->let_in;
    return bare && a->request.body == ASK_BODY_BIG && (a->hop->asks || !a->hop->known);
}

void ask_send_leg(struct ask *a)
{
    if (++a->legs > LEGS_MOST) {
        ask_fail(a, PAGE_BAD_ANSWER, SPAN("the proxy keeps asking for authentication"),
                 SPAN("the log at level debug shows each step (exeat.conf: [log] level = debug)"));
        return;
    }
    if (a->broken || leg_gone(&a->leg)) { /* the connection ended while we were thinking */
        ask_begin_again(a);
        return;
    }
    struct buf head = {.max = a->request.max_head * 2 + ((size_t)1 << 20)};
    struct header_request how = a->request.how;
    how.authorization = secret_reveal(&a->header);
    a->knocking = must_knock(a);
    a->header_out = how.authorization.n > 0;
    bool written = knock_or_request(&head, a->request.head, &how, a->knocking ? a->knock_method : NULL,
                                    a->flags & KEYS_ASIDE);
    if (written) {
        log_debug(a->tag, "leg %u on %s: %s%s", a->legs, a->upstream->tag,
                  a->knocking ? "knock (without a body)" : "request",
                  a->header_out ? ", with credentials" : "");
        upstream_move(a->upstream, a->knocking || (a->header_out && !a->upstream->let_in) ? UPSTREAM_SHAKING
                                                                                          : UPSTREAM_BUSY);
        a->credited |= a->header_out;
        a->sent |= !a->knocking || a->header_out;
        ask_move(a, ASK_IN);
        leg_send(&a->leg, buf_span(&head), a->knocking ? span_str(a->knock_method) : a->request.head->method,
                 a->hop->answer_ms);
    }
    secret_wipe(head.p, head.n);
    buf_free(&head);
    if (!written) {
        ask_fail(a, PAGE_INTERNAL, SPAN("the request's head grew too large on the way"), SPAN(""));
        return;
    }
    a->body_out = !a->knocking && has_body(a);
    if (a->body_out)
        a->events->body_go(a->owner);
}

/* --- connections --- */

static const struct leg_events events_of_leg;

static void granted(void *owner, struct upstream *u)
{
    struct ask *a = owner;
    a->upstream = u;
    a->broken = a->trusted = false;
    leg_begin(&a->leg, u->stream, a->request.max_head, &events_of_leg, a);
    verdict_prepare(a);
}

static void use_given(void *owner)
{
    struct ask *a = owner;
    granted(a, a->request.use);
}

static void not_granted(void *owner, const struct unreached *why)
{
    struct ask_failure failure;
    ask_failure_from(&failure, why);
    ask_end(owner, &failure);
}

static const struct lease_events events_of_lease = {granted, not_granted};

static void find_connection(struct ask *a, bool fresh)
{
    ask_move(a, ASK_LEASE);
    lease_start(&a->lease, a->out, a->hop, a->request.behalf, fresh, &events_of_lease, a);
}

/* On another connection; what was learned on this one helps the next. */
void ask_begin_again(struct ask *a)
{
    if (++a->restarts > RESTARTS_MOST) {
        ask_fail(a, PAGE_BAD_ANSWER, SPAN("the proxy keeps closing the connection during authentication"),
                 SPAN("the log at level debug shows each step (exeat.conf: [log] level = debug)"));
        return;
    }
    if (a->body_lost) {
        ask_fail(
            a, PAGE_BODY_LOST,
            SPAN("the proxy asked for authentication after the body was under way, and it cannot be sent "
                 "again"),
            SPAN("try again: the next attempt authenticates first"));
        return;
    }
    close_connection(a);
    a->flags = 0;
    a->sent = false; /* it may go out again: here, or by another proxy where this one is gone */
    find_connection(a, true);
}

/* --- an answer comes in --- */

/* Has the keyholder still to say whether this connection may be trusted? Then not even a request without credentials may be answered. */
static bool owes_proof(const struct ask *a)
{
    return a->flags & KEYS_FINAL && !a->trusted;
}

static void informational(void *owner, const struct head *h)
{
    struct ask *a = owner;
    /* One that has to prove itself gets no word through before; but where a body is on its way, its sender may wait for a 100. */
    if (!a->knocking && (!owes_proof(a) || a->body_out))
        a->events->informational(a->owner, h);
}

static void take_back_body(struct ask *a)
{
    if (!a->body_out)
        return;
    a->body_out = false;
    switch (a->events->body_rewind(a->owner)) {
    case ASK_REWIND_WHOLE:
        break;
    case ASK_REWIND_PART:
        a->broken = true; /* the rest of that body is still owed on this connection */
        break;
    case ASK_REWIND_LOST:
        a->broken = a->body_lost = true;
        break;
    }
}

static void challenged(struct ask *a)
{
    a->out->counters.challenges++;
    hop_asked(a->hop);
    a->upstream->let_in = false;
    secret_free(&a->upstream->header);
    ask_keys_log_offer(a);
    take_back_body(a);
    ask_move(a, ASK_DRAIN);
    leg_drain(&a->leg, DROP_407_BYTES);
}

static void deliver(struct ask *a)
{
    ask_move(a, ASK_DONE);
    a->events->answered(a->owner);
}

static void drained(void *owner, bool whole);

void ask_go_on(struct ask *a)
{
    if (!a->knocking) {
        deliver(a);
        return;
    }
    a->knock_done = true;
    ask_move(a, ASK_DRAIN);
    if (leg_gone(&a->leg)) /* while its proof was looked at: nobody will say so again */
        drained(a, false);
    else
        leg_drain(&a->leg, DROP_KNOCK_BYTES);
}

static void answered(void *owner)
{
    struct ask *a = owner;
    hop_answered(a->hop);
    if (a->leg.head.status == 407 && a->hop->authenticates) {
        challenged(a);
        return;
    }
    a->upstream->aside = false;
    if (owes_proof(a) || (a->header_out && !secret_present(&a->upstream->header))) /* not a reused one */
        verdict_taken(a);
    else
        ask_go_on(a);
}

static void drained(void *owner, bool whole)
{
    struct ask *a = owner;
    a->broken |= !whole;
    if (a->leg.head.status == 407) {
        verdict_challenged(a);
        return;
    }
    if (a->flags & KEYS_ASIDE)
        ask_keys_aside(a);
    if (a->broken) { /* by the knock's answer, which was too long or ended with the connection: next time without one */
        a->knock_method = "HEAD";
        ask_begin_again(a);
    } else {
        /* The knock was let through: this target needs no credentials here, or the connection has them now, or each request does. */
        if (!(a->flags & KEYS_REUSABLE))
            secret_free(&a->header);
        a->flags &= ~(KEYS_KNOCK | KEYS_ASIDE);
        ask_send_leg(a);
    }
}

/* Nobody knows whether a request whose connection broke was carried out. */
bool ask_may_repeat(const struct ask *a)
{
    return a->knocking || method_is_idempotent(a->request.head->method);
}

static void broke(void *owner, enum leg_end_kind how, const char *why)
{
    struct ask *a = owner;
    struct buf text = {0};
    if (how == LEG_CLOSED && a->flags & KEYS_ASIDE) {
        ask_begin_again(a);
        return;
    }
    if (how == LEG_CLOSED && !a->leg.heard && a->upstream->used && !a->stale_retried && ask_may_repeat(a)) {
        a->stale_retried = true;
        log_debug(a->tag, "%s had closed the kept connection; once more on a new one", a->hop->name);
        take_back_body(a);
        ask_begin_again(a);
        return;
    }
    buf_addf(&text, "%s %s: %s", hop_is_direct(a->hop) ? "the server" : "the proxy", a->hop->name, why);
    ask_fail(a, unanswered_cause(how), buf_span(&text), unanswered_remedy(how, ask_may_repeat(a)));
    buf_free(&text);
}

static void writable(void *owner)
{
    struct ask *a = owner;
    if (a->body_out)
        a->events->writable(a->owner);
}

static const struct leg_events events_of_leg = {informational, answered, drained, broke, writable};

void ask_start(struct ask *a, struct outbound *out, struct hop *hop, const struct ask_request *request,
               const char *tag, const struct ask_events *events, void *owner)
{
    *a = (struct ask){.out = out,
                      .hop = hop_ref(hop),
                      .request = *request,
                      .events = events,
                      .owner = owner,
                      .tag = tag,
                      .knock_method = "GET"};
    if (!request->use) {
        find_connection(a, request->fresh);
        return;
    }
    ask_move(a, ASK_LEASE);
    later_start(out->loop, &a->begin, use_given, a);
}

void ask_body_flows(struct ask *a)
{
    leg_content_flows(&a->leg);
}

void ask_body_out(struct ask *a)
{
    leg_content_out(&a->leg);
}
