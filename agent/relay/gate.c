/*
 * Requests at the gateway's door (gate.h). A request's Proxy-Authorization goes to the keyholder and ends here; a body behind a request that is not let in is
 * taken in as far as it is small, so that the connection can stay; in the middle of a handshake, which is bound to the connection, also where it is large.
 */
#include "relay/gate.h"

#include <stdlib.h>

#include "admit/admit.h"
#include "base/log.h"
#include "relay/exchange.h"
#include "relay/refusal.h"
#include "relay/reply.h"
#include "relay/visit.h"

#define FIELD       "Proxy-Authorization"
#define EXPECT      "Expect"
#define USER_PREFIX "user "
#define SHAKES_MOST ((size_t)16 * 1024 * 1024) /* of a body that goes with a leg of a handshake */
#define TOLD_MS     1000

/* --- answers --- */

/* Who did not wait for the answer to its CONNECT has sent what was meant for the tunnel: it is not taken for requests. */
static void answer(struct exchange *e)
{
    if (e->connect && (e->client->in.n || stream_has_input(e->client->stream)))
        e->keep_client = false;
    reply_page_untold(e, e->gate.cause, buf_span(&e->gate.why), buf_span(&e->gate.remedy));
}

static void drained(struct exchange *e)
{
    e->gate.drains = false;
    deadline_stop(&e->gate.patience);
    answer(e);
}

static void drain_too_slow(void *owner)
{
    drained(owner);
}

/* With an Expect the body may or may not come: nobody can tell what the next bytes will be, unless we ask for it. */
static bool can_drain(const struct exchange *e)
{
    return !e->upload.ended && e->keep_client && upload_class(&e->upload) != ASK_BODY_NONE &&
           (e->client->gated.inbound.shaking || !head_field(&e->head, EXPECT)) &&
           (e->upload.body.rule.kind != BODY_LENGTH || e->upload.body.rule.length <= e->gate.drains_most);
}

static void answer_behind_body(struct exchange *e)
{
    const struct config_gateway *g = config_gateway_named(e->config, span_str(e->client->gated.gate->name));
    bool shakes = e->client->gated.inbound.shaking;
    e->gate.drains_most = shakes ? SHAKES_MOST : REPLAY_WINDOW;
    if (!g || !can_drain(e)) {
        answer(e);
        return;
    }
    e->gate.drains = true;
    upload_discard(&e->upload);
    if (head_field(&e->head, EXPECT) && e->head.minor > 0)
        stream_write(e->client->stream, SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
    deadline_start(e->relay->out->loop, &e->gate.patience,
                   (uint64_t)(shakes ? g->idle_timeout : g->head_timeout) * 1000, drain_too_slow, e);
    client_feed(e->client);
}

static void set_answer(struct exchange *e, enum page_cause cause, struct span why, struct span remedy)
{
    e->gate.cause = cause;
    buf_add_span(&e->gate.why, why);
    buf_add_span(&e->gate.remedy, remedy);
}

bool gate_drains(struct exchange *e, struct span *in)
{
    if (!e->gate.drains)
        return false;
    upload_take(&e->upload, in);
    if (e->upload.ended || e->upload.bad || e->upload.content > e->gate.drains_most)
        drained(e);
    return true;
}

void gate_stop(struct exchange *e)
{
    e->gate.drains = false;
    deadline_stop(&e->gate.patience);
    inbound_cancel(&e->client->gated.inbound);
}

void gate_forget(struct exchange *e)
{
    gate_stop(e);
    buf_free(&e->gate.lines);
    buf_free(&e->gate.info);
    buf_free(&e->gate.why);
    buf_free(&e->gate.remedy);
}

/* --- what the keyholder says --- */

static void show_challenge(struct exchange *e, const struct inbound_says *says)
{
    buf_add_span(&e->gate.lines, says->lines);
    set_answer(e, PAGE_AUTHENTICATE,
               says->verdict == INBOUND_REFUSED ? SPAN("the name or the password is wrong")
                                                : SPAN("this gateway serves clients that say who they are"),
               SPAN("give the program a user name and password for the proxy, or a Kerberos ticket"));
}

static void on_refused(struct exchange *e, const struct inbound_says *says)
{
    struct sockaddr_storage own, peer = {0};
    bool known = stream_addresses(e->client->stream, &own, &peer);
    show_challenge(e, says);
    refusal_tell(e, says->why, says->identity);
    refusal_wait(e, known ? (const struct sockaddr *)&peer : NULL, says->delay, answer_behind_body);
}

static void on_in(struct exchange *e, const struct inbound_says *says, const struct config_gateway *g)
{
    struct gated *gated = &e->client->gated;
    if (gated->stranger)
        list_remove(&gated->link);
    gated->stranger = false;
    e->gate.known = true;
    if (g && g->mutual == GATEWAY_MUTUAL_YES) {
        buf_add_span(&e->gate.lines, says->lines);
        buf_add_span(&e->gate.info, says->info);
    }
    exchange_admitted(e);
}

/* One line a second: anybody can make us ask. */
static void tell_failure(const struct exchange *e, struct gate *gate, const struct inbound_says *says)
{
    uint64_t now = loop_now(e->relay->out->loop) + 1;
    if (gate->failure_told && now - gate->failure_told < TOLD_MS)
        return;
    gate->failure_told = now;
    const char *joint = !says->remedy.n ? "" : span_ends(says->why, SPAN(".")) ? " " : "; ";
    log_error(e->tag, "gateway %s: %.*s%s%.*s", gate->name, SPAN_ARG(says->why), joint,
              SPAN_ARG(says->remedy));
}

static void judged(void *owner, const struct inbound_says *says)
{
    struct exchange *e = owner;
    struct client *c = e->client;
    struct gate *gate = c->gated.gate;
    switch (says->verdict) {
    case INBOUND_IN:
        gate->accepted++;
        on_in(e, says, config_gateway_named(e->config, span_str(gate->name)));
        break;
    case INBOUND_ASKED:
        gate->challenged++;
        show_challenge(e, says);
        answer_behind_body(e);
        break;
    case INBOUND_REFUSED:
        gate->refused++;
        on_refused(e, says);
        break;
    case INBOUND_MALFORMED:
        gate->broken++;
        set_answer(e, PAGE_BAD_CREDENTIALS, says->why, SPAN(""));
        refusal_tell(e, says->why, SPAN(""));
        answer_behind_body(e);
        break;
    case INBOUND_FAILED:
        gate->failed++;
        set_answer(e, PAGE_NO_JUDGE, says->why,
                   SPAN("the log of exeat, on the machine where it runs, tells its administrator more"));
        tell_failure(e, gate, says);
        answer_behind_body(e);
        break;
    }
    client_feed(c); /* what it sent meanwhile, and perhaps its end */
}

/* --- requests --- */

static bool turn_away(struct exchange *e, enum page_cause cause, struct span why, struct span remedy)
{
    set_answer(e, cause, why, remedy);
    refusal_tell(e, why, SPAN(""));
    answer_behind_body(e);
    return false;
}

/* Those of a user who is known on this connection, else of the address; at this gateway, where a name is not another one's. */
static bool within_rate(struct exchange *e, const struct config_gateway *g)
{
    struct gated *gated = &e->client->gated;
    struct buf key = {0};
    buf_addf(&key, "%s\n", gated->gate->name);
    if (gated->inbound.identity)
        buf_addf(&key, USER_PREFIX "%s", gated->inbound.identity);
    else
        visit_key(e->client->stream, &key);
    uint64_t now = loop_now(e->relay->out->loop);
    struct quota *row = quota_find(&e->relay->gates.quotas, buf_span(&key), now);
    buf_free(&key);
    return quota_take(row, g->requests_per_second, now);
}

/* NULL: the request goes on to be judged. */
static const char *malformed(const struct exchange *e)
{
    const struct field *shown = head_field(&e->head, FIELD);
    if (shown && head_field_next(&e->head, shown))
        return "the program sent more than one Proxy-Authorization field";
    if (shown && !shown->value.n)
        return "the program's Proxy-Authorization field is empty";
    return NULL;
}

static void put_question(struct exchange *e, struct span shown)
{
    inbound_ask(&e->client->gated.inbound, e->head.method, e->head.target, stream_binding(e->client->stream),
                shown, judged, e);
}

static bool ask(struct exchange *e, const struct config_gateway *g)
{
    struct inbound *in = &e->client->gated.inbound;
    const struct field *shown = head_field(&e->head, FIELD);
    if (!shown && inbound_is_in(in, time(NULL))) {
        e->client->gated.gate->accepted++;
        e->gate.known = true;
        return true;
    }
    put_question(e, shown ? shown->value : span_make(NULL, 0));
    if (!g->pass_authorization)
        head_wipe_field(&e->head, FIELD);
    return false;
}

bool gate_may(struct exchange *e)
{
    struct gate *gate = e->client->gated.gate;
    struct sockaddr_storage peer;
    if (!gate)
        return true;
    const struct config_gateway *g = config_gateway_named(e->config, span_str(gate->name));
    if (!g || !admit_gateway_address(g, e->client->stream, &peer)) {
        e->keep_client = false;
        return turn_away(
            e, PAGE_NOT_ALLOWED, SPAN("this gateway does not serve your address (any more)"),
            SPAN("the machine where exeat runs says who may come from where: allow in [gateway] of "
                 "exeat.conf"));
    }
    if (!within_rate(e, g)) {
        gate->limited++;
        return turn_away(
            e, PAGE_TOO_MANY, SPAN("more requests came than this gateway takes from one client"),
            SPAN("wait a second; requests-per-second in [gateway] of exeat.conf says how many it "
                 "takes"));
    }
    const char *fault = malformed(e);
    if (!fault)
        return ask(e, g);
    gate->broken++;
    head_wipe_field(&e->head, FIELD);
    return turn_away(e, PAGE_BAD_CREDENTIALS, span_str(fault), SPAN(""));
}

bool gate_keeps_challenge(struct exchange *e)
{
    if (!e->client->gated.gate || e->ask.leg.head.status != 407)
        return false;
    reply_page(e, PAGE_NO_CREDENTIALS, 0,
               SPAN("the next proxy asks who you are, and its configuration here leaves the answer to "
                    "programs, which a gateway's clients cannot give"),
               SPAN("[upstream] of exeat.conf, on the machine where exeat runs: auth and "
                    "client-credentials = drop"));
    ask_cancel(&e->ask);
    return true;
}

bool gate_hands_on(const struct exchange *e)
{
    const struct gate *gate = e->client->gated.gate;
    const struct config_gateway *g = gate ? config_gateway_named(e->config, span_str(gate->name)) : NULL;
    return g && g->mutual == GATEWAY_MUTUAL_PASS;
}

bool gate_acts(const struct exchange *e)
{
    if (!e->client->gated.gate)
        return false;
    const struct config_gateway *g = config_gateway_named(e->config, span_str(e->client->gated.gate->name));
    return !g || g->identity == GATEWAY_IDENTITY_PER_USER;
}

struct behalf gate_behalf(const struct exchange *e)
{
    const struct inbound *in = &e->client->gated.inbound;
    if (!gate_acts(e) || !e->gate.known)
        return (struct behalf){0};
    return (struct behalf){.context = in->context, .instance = in->instance};
}

void gate_asks_again(struct exchange *e)
{
    e->gate.known = false;
    buf_clear(&e->gate.lines);
    buf_clear(&e->gate.info);
    put_question(e, span_make(NULL, 0));
}

const char *gate_user(const struct exchange *e)
{
    return e->gate.known ? e->client->gated.inbound.identity : NULL;
}
