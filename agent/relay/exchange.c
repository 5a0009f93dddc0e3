/*
 * Exchanges: where to, the asking, the streaming, the end. The body's two directions stand in upload.c and download.c, the 407 conversation in
 * upstream/ask.c, answers of our own in reply.c; the heads' way in forward.c.
 */
#include "relay/exchange.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "relay/course.h"
#include "relay/forward.h"
#include "relay/guest.h"
#include "relay/handover.h"
#include "relay/reply.h"
#include "relay/standing.h"

static void move(struct exchange *e, enum exchange_state to)
{
    static const char *const names[] = {"route", "ask", "stream", "done"};
    static const unsigned next[] = {[EXCHANGE_ROUTE] = 1u << EXCHANGE_ASK | 1u << EXCHANGE_DONE,
                                    [EXCHANGE_ASK] =
                                        1u << EXCHANGE_STREAM | 1u << EXCHANGE_DONE | 1u << EXCHANGE_ASK,
                                    [EXCHANGE_STREAM] = 1u << EXCHANGE_DONE,
                                    [EXCHANGE_DONE] = 0};
    if (!(next[e->state] & 1u << to))
        log_error(e->tag, "an exchange cannot go from %s to %s", names[e->state], names[to]);
    e->state = to;
}

/* --- ends --- */

void exchange_over(struct exchange *e, enum client_next next)
{
    hold_free(e);
    ask_cancel(&e->ask);
    refusal_forget(e);
    gate_stop(e);
    move(e, EXCHANGE_DONE);
    client_exchange_over(e->client, next);
}

static void refuse(struct exchange *e, enum page_cause cause, unsigned status, struct span why,
                   struct span remedy)
{
    reply_page(e, cause, status, why, remedy);
    ask_cancel(&e->ask);
}

void exchange_free(struct exchange *e)
{
    if (!e->logged)
        reply_log(e, e->download.content, "given up");
    hold_free(e);
    decide_cancel(&e->decision);
    ask_cancel(&e->ask);
    lease_cancel(&e->lease);
    if (e->upstream)
        pool_close(e->upstream);
    if (e->state == EXCHANGE_STREAM || e->upstream)
        download_free(&e->download);
    upload_free(&e->upload);
    for (size_t i = 0; i < e->n_hops; i++)
        hop_unref(e->hops[i]);
    free(e->hops);
    brought_free(&e->brought);
    free(e->why);
    buf_free(&e->target_text);
    buf_free(&e->host_text);
    rewrite_end(&e->rewrite);
    refusal_forget(e);
    gate_forget(e);
    head_free(&e->head);
    config_unref(e->config);
    standing_ended(e->relay);
    free(e);
}

/* --- streaming --- */

/* The connection goes back where it can be used again: to this client alone, or to everybody. */
static void give_back(struct exchange *e)
{
    struct upstream *u = e->upstream;
    bool clean =
        e->download.state == DOWNLOAD_WHOLE && e->upload.sent_end && e->keep_upstream && !e->download.surplus;
    e->upstream = NULL;
    if (!clean)
        pool_close(u);
    else if (e->pin && e->keep_client && !e->closing_said)
        client_pin(e->client, u, gate_user(e));
    else if (e->pin)
        pool_close(u);
    else
        pool_give(u);
}

static void end_if_done(struct exchange *e)
{
    if (e->download.state == DOWNLOAD_GOING || e->state != EXCHANGE_STREAM)
        return;
    bool cut = e->download.state == DOWNLOAD_CUT;
    e->relay->out->counters.bytes_down += e->download.content;
    reply_log(e, e->download.content, cut ? "cut short" : "");
    give_back(e);
    download_free(&e->download);
    exchange_over(e, cut ? CLIENT_ABORT : e->keep_client && !e->closing_said ? CLIENT_KEEP : CLIENT_CLOSE);
}

static void down_data(void *owner, struct span bytes)
{
    struct exchange *e = owner;
    download_take(&e->download, bytes);
    end_if_done(e);
}

static void down_eof(void *owner)
{
    struct exchange *e = owner;
    e->keep_upstream = false;
    download_eof(&e->download);
    end_if_done(e);
}

static void down_failed(void *owner, const struct err *why)
{
    struct exchange *e = owner;
    log_debug(e->tag, "the connection broke in the middle of the answer: %s", why->text);
    e->keep_upstream = false;
    e->download.state = DOWNLOAD_CUT;
    end_if_done(e);
}

static void up_writable(void *owner)
{
    struct exchange *e = owner;
    client_feed(e->client);
}

static void stream_down(struct exchange *e, struct span rest, bool broken)
{
    static const struct stream_events events = {down_data, down_eof, up_writable, down_failed};
    struct stream *up = e->upstream->stream;
    download_take(&e->download, rest);
    if (broken && e->download.state == DOWNLOAD_GOING)
        e->download.state = DOWNLOAD_CUT;
    stream_own(up, &events, e);
    if (e->download.state == DOWNLOAD_GOING && !stream_backlog(e->client->stream))
        stream_read(up);
    client_feed(e->client);
    end_if_done(e);
}

/* --- the answer --- */

static void answered(void *owner)
{
    struct exchange *e = owner;
    upload_settle(&e->upload);
    e->status = e->ask.leg.head.status;
    snprintf(e->scheme, sizeof e->scheme, "%.*s", SPAN_ARG(ask_scheme(&e->ask)));
    if (e->status == 101 && !forward_wants_upgrade(e)) {
        refuse(e, PAGE_BAD_ANSWER, 0,
               SPAN("the other side switched protocols (101) though nobody had asked for it"), SPAN(""));
        return;
    }
    if (credentials_exempt_in_vain(e) || gate_keeps_challenge(e))
        return;
    forward_proof(e);
    if (course_asks_in_vain(e)) {
        ask_cancel(&e->ask);
        return;
    }
    if (e->ask.leg.rule.kind == BODY_TUNNEL) {
        handover_answered(e);
        return;
    }
    if (!e->client->entrance->http) {
        reply_no_tunnel(e, &e->ask.leg.head);
        ask_cancel(&e->ask);
        return;
    }
    struct body_rule rule = e->ask.leg.rule;
    struct body_rule towards_client = forward_answer_head(e, &e->ask.leg.head, rule);
    struct buf rest = {0};
    buf_add_span(&rest, leg_rest(&e->ask.leg));
    bool broken = leg_gone(&e->ask.leg); /* while the keyholder judged the answer; nobody will say it again */
    e->upstream = ask_take(&e->ask);
    move(e, EXCHANGE_STREAM);
    download_start(&e->download, rule, towards_client, e->upstream->stream, e->client->stream);
    stream_down(e, buf_span(&rest), broken);
    buf_free(&rest);
}

static void informational(void *owner, const struct head *h)
{
    forward_informational(owner, h);
}

/* --- the request's body --- */

static void tell_progress(struct exchange *e)
{
    if (e->state != EXCHANGE_ASK)
        return;
    if (e->upload.sent_end)
        ask_body_out(&e->ask);
    else
        ask_body_flows(&e->ask);
}

static void body_go(void *owner)
{
    struct exchange *e = owner;
    upload_go(&e->upload, e->ask.upstream->stream);
    tell_progress(e);
    client_feed(e->client);
}

static enum ask_rewind body_rewind(void *owner)
{
    struct exchange *e = owner;
    return upload_rewind(&e->upload);
}

static void body_gather(void *owner)
{
    struct exchange *e = owner;
    upload_gather(&e->upload);
    client_feed(e->client);
}

/* After input: did that complete what the keyholder waits for? */
static void gathered(struct exchange *e)
{
    if (!e->upload.gathering || (e->upload.keeping && !e->upload.ended))
        return;
    e->upload.gathering = false;
    ask_body_gathered(&e->ask, e->upload.keeping, buf_span(&e->upload.kept));
}

void exchange_input(struct exchange *e, struct span *in)
{
    if (gate_drains(e, in) || (e->state != EXCHANGE_ASK && e->state != EXCHANGE_STREAM))
        return;
    uint64_t before = e->upload.content;
    bool flowed = e->upload.to != NULL && !e->upload.sent_end;
    upload_take(&e->upload, in);
    e->relay->out->counters.bytes_up += e->upload.content - before;
    if (e->upload.bad) {
        if (e->state == EXCHANGE_ASK)
            refuse(e, PAGE_BAD_REQUEST, 0, SPAN("the request's body breaks the chunked coding"), SPAN(""));
        else
            exchange_over(e, CLIENT_ABORT);
        return;
    }
    if (flowed)
        tell_progress(e);
    gathered(e);
}

bool exchange_blocked(const struct exchange *e)
{
    return e->state == EXCHANGE_DONE || (!e->upload.ended && !upload_wants(&e->upload));
}

bool exchange_waits_for_body(const struct exchange *e)
{
    return (e->state == EXCHANGE_ASK || e->state == EXCHANGE_STREAM) && !e->upload.ended && !e->upload.bad &&
           upload_wants(&e->upload);
}

void exchange_give_up_body(struct exchange *e)
{
    if (e->state == EXCHANGE_ASK)
        refuse(e, PAGE_BAD_REQUEST, 408, SPAN("the body of the request did not come in time"), SPAN(""));
    else
        exchange_over(e, CLIENT_ABORT);
}

void exchange_writable(struct exchange *e)
{
    if (e->state == EXCHANGE_STREAM)
        download_resume(&e->download);
}

void exchange_eof(struct exchange *e, bool empty)
{
    bool held = e->hold.active || refusal_waits(e); /* its client has given up */
    if (e->state == EXCHANGE_DONE || (!held && (e->upload.ended || !empty)))
        return;
    log_debug(e->tag,
              held ? "the client did not wait for its answer" : "the client ended in the middle of its body");
    exchange_over(e, CLIENT_ABORT);
}

/* --- the asking --- */

static void ask_hop(struct exchange *e);

void exchange_failed(void *owner, const struct ask_failure *failure)
{
    struct exchange *e = owner;
    static const unsigned unreachable = 1u << PAGE_DNS | 1u << PAGE_UNREACHABLE | 1u << PAGE_REFUSED |
                                        1u << PAGE_CONNECT_TIMEOUT | 1u << PAGE_TLS;
    if (unreachable & 1u << failure->cause && failure->nothing_sent && !failure->final &&
        e->at + 1 < e->n_hops) {
        log_warning(e->tag, "%.*s; trying %s", SPAN_ARG(failure->why), e->hops[e->at + 1]->name);
        e->at++;
        ask_hop(e);
        return;
    }
    if (failure->cause == PAGE_AUTHENTICATE) {
        gate_asks_again(e);
        return;
    }
    e->internal = failure->upstream != NULL;
    if (!hold_failure(e, failure))
        refuse(e, credentials_cause(e, failure), 0, failure->why, failure->remedy);
}

void exchange_again(struct exchange *e)
{
    ask_hop(e);
}

static const struct ask_events events_of_ask = {informational, body_go,  body_rewind,    body_gather,
                                                up_writable,   answered, exchange_failed};

static void ask_hop(struct exchange *e)
{
    if (!credentials_settle(e))
        return;
    struct hop *hop = e->hops[e->at];
    e->internal = false;
    move(e, EXCHANGE_ASK);
    if (e->connect && hop_is_direct(hop)) {
        forward_target(e, hop);
        handover_direct(e, hop);
        return;
    }
    struct ask_request request = forward_request(e, hop);
    request.use = client_unpin(e->client, hop, gate_user(e));
    request.fresh = e->hold.before;
    e->pin = request.use != NULL;
    ask_start(&e->ask, e->relay->out, hop, &request, e->tag, &events_of_ask, e);
}

/* --- the beginning --- */

static struct exchange *exchange_new(struct client *c)
{
    struct exchange *e = mem_zero(sizeof *e);
    e->client = c;
    e->relay = c->relay;
    e->config = config_ref(c->relay->config);
    rewrite_begin(&e->rewrite, c->relay->routes);
    e->began = loop_now(c->relay->out->loop);
    e->upload.ended = e->upload.sent_end = true;
    snprintf(e->tag, sizeof e->tag, "c%u.r%u", c->number, c->requests);
    c->relay->out->counters.requests++;
    standing_began(c->relay);
    return e;
}

void exchange_admitted(struct exchange *e)
{
    if (forward_answer_here(e))
        return;
    if (!standing_is_off(e))
        course_start(e);
    else if (standing_route(e))
        ask_hop(e);
}

struct exchange *exchange_start(struct client *c, struct head *head)
{
    struct exchange *e = exchange_new(c);
    struct fault fault;
    struct body_rule rule;
    head_move(&e->head, head);
    e->keep_client = header_keeps_alive(&e->head);
    e->connect = span_eq(e->head.method, SPAN("CONNECT"));
    if (!framing_request(&e->head, &rule, &fault)) {
        e->upload.ended = false; /* where the next request would begin is unknown */
        refuse(e, PAGE_BAD_REQUEST, fault.status, span_str(fault.why), SPAN(""));
        return e;
    }
    upload_start(&e->upload, rule);
    if (!target_read(&e->target, &e->head, &fault)) {
        e->keep_client = false; /* who writes such a target may mean something else by what follows */
        refuse(e, PAGE_BAD_REQUEST, fault.status, span_str(fault.why), SPAN(""));
    } else if (guest_may(e) && gate_may(e)) {
        exchange_admitted(e);
    }
    return e;
}

struct exchange *exchange_refuse(struct client *c, const struct fault *fault)
{
    struct exchange *e = exchange_new(c);
    refuse(e, PAGE_BAD_REQUEST, fault->status, span_str(fault->why), SPAN(""));
    return e;
}
