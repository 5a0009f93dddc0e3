/*
 * Connections of gateways' clients (gate.h): how many there may be, how long they may be without a request, and that a place is found for who has something to
 * show: where there is none, the connection that has shown nothing for longest makes room. The last descriptors are not for gateways: whoever holds connections
 * open here keeps none of the other ways in shut.
 */
#include <netinet/in.h>
#include <stdlib.h>

#include "admit/admit.h"
#include "base/log.h"
#include "relay/exchange.h"
#include "relay/gate.h"
#include "relay/visit.h"

#define LEAVING_SECONDS 300 /* its gateway is not in the configuration any more */

struct visit {
    struct gate *gate;   /* a reference */
    struct quota *quota; /* of its address */
    struct list link;    /* in gate->leaving */
    struct stream *leaving;
    bool stranger; /* it leaves without having authenticated */
};

void visit_end(struct visit *v)
{
    if (!v)
        return;
    list_remove(&v->link);
    quota_leave(v->quota);
    v->gate->connected--;
    gate_unref(v->gate);
    free(v);
}

/* --- gates --- */

struct gate *gate_new(struct gates *gates, const char *name)
{
    struct gate *g = mem_zero(sizeof *g);
    list_push_back(&gates->all, &g->link);
    g->refs = 1;
    g->name = mem_strdup(name);
    list_init(&g->strangers);
    list_init(&g->leaving);
    return g;
}

struct gate *gate_ref(struct gate *g)
{
    if (g)
        g->refs++;
    return g;
}

void gate_unref(struct gate *g)
{
    if (!g || --g->refs > 0)
        return;
    list_remove(&g->link);
    free(g->name);
    free(g);
}

static void all_gone(struct gate *g)
{
    gate_ref(g);
    while (!list_empty(&g->leaving)) {
        struct visit *v = list_entry(g->leaving.next, struct visit, link);
        stream_when_gone(v->leaving, NULL, NULL);
        visit_end(v);
    }
    gate_unref(g);
}

void gates_init(struct gates *g)
{
    *g = (struct gates){0};
    list_init(&g->all);
    quotas_init(&g->quotas);
}

void gates_done(struct gates *g)
{
    struct list *it, *safe;
    list_each(it, safe, &g->all) all_gone(list_entry(it, struct gate, link));
    quotas_done(&g->quotas);
}

/* --- coming and going --- */

/* An address; of IPv6 its network of 64 bits, which is one client's to choose from. */
void visit_key(const struct stream *s, struct buf *out)
{
    struct sockaddr_storage own, peer = {0};
    unsigned char network[PENALTY_NETWORK];
    if (!stream_addresses(s, &own, &peer)) {
        buf_add_str(out, "this machine");
        return;
    }
    penalty_network((const struct sockaddr *)&peer, network);
    for (size_t i = 0; i < sizeof network; i++)
        buf_addf(out, "%02x", network[i]);
}

static struct quota *quota_of(struct relay *r, const struct stream *s)
{
    struct buf key = {0};
    visit_key(s, &key);
    struct quota *row = quota_find(&r->gates.quotas, buf_span(&key), loop_now(r->out->loop));
    buf_free(&key);
    return row;
}

/* Who has got all that it gets, or nothing that it had a right to. */
static struct visit *one_leaving(const struct gate *g)
{
    for (struct list *it = g->leaving.next; it != &g->leaving; it = it->next) {
        struct visit *v = list_entry(it, struct visit, link);
        if (v->stranger || stream_backlog(v->leaving) == 0)
            return v;
    }
    return NULL;
}

/* One goes, one comes. */
static bool make_room(struct relay *r, struct gate *g, unsigned most)
{
    const struct visit *leaving = one_leaving(g);
    if (g->connected < most && !loop_is_crowded(r->out->loop))
        return true;
    if (leaving)
        stream_close(leaving->leaving);
    else if (!list_empty(&g->strangers))
        client_close(list_entry(g->strangers.next, struct client, gated.link));
    else
        return false;
    return g->connected < most;
}

bool gate_lets_come(struct relay *r, struct gate *gate, struct stream *s, const char *tag, bool words)
{
    struct sockaddr_storage peer;
    const struct config_gateway *g = config_gateway_named(r->config, span_str(gate->name));
    if (!g || !admit_gateway_address(g, s, &peer)) {
        admit_turn_away(&r->admit, s, tag, PAGE_NOT_ALLOWED, SPAN("this gateway does not serve your address"),
                        SPAN("to let clients from there in, write their network into [gateway] of exeat.conf "
                             "on the machine where exeat runs (allow = NETWORK), and run exeat reload"),
                        words);
        return false;
    }
    unsigned most = g->connections_per_address;
    if (most && quota_of(r, s)->connections >= most) {
        gate->limited++;
        admit_turn_away(
            &r->admit, s, tag, PAGE_TOO_MANY,
            SPAN("this address has more connections open than this gateway takes"),
            SPAN("close some; connections-per-address in [gateway] of exeat.conf says how many it "
                 "takes"),
            words);
        return false;
    }
    if (make_room(r, gate, g->connections))
        return true;
    gate->limited++;
    admit_turn_away(&r->admit, s, tag, PAGE_BUSY, SPAN("this gateway has as many clients as it takes"),
                    SPAN("try again later; connections in [gateway] of exeat.conf says how many it takes"),
                    words);
    return false;
}

void gate_arrived(struct client *c, struct gate *g, bool beyond)
{
    struct visit *v = mem_zero(sizeof *v);
    *v = (struct visit){.gate = gate_ref(g), .quota = quota_of(c->relay, c->stream)};
    list_init(&v->link);
    quota_enter(v->quota);
    g->connected++;
    c->gated = (struct gated){.gate = gate_ref(g), .visit = v, .beyond = beyond, .stranger = true};
    list_push_back(&g->strangers, &c->gated.link);
    inbound_init(&c->gated.inbound, c->relay->out->keys, g->name, &c->relay->gates.edition);
    struct buf network = {0};
    visit_key(c->stream, &network);
    c->gated.inbound.network = span_dup(buf_span(&network));
    buf_free(&network);
    gate_waits(c);
}

struct gate *visit_gate(const struct visit *v)
{
    return v->gate;
}

struct visit *gate_hand_over(struct client *c)
{
    struct visit *v = c->gated.visit;
    c->gated.visit = NULL;
    return v;
}

static void gone(void *owner)
{
    visit_end(owner);
}

void gate_lingers(struct client *c)
{
    bool stranger = c->gated.stranger;
    struct visit *v = gate_hand_over(c);
    if (!v)
        return;
    v->leaving = c->stream;
    v->stranger = stranger;
    list_push_back(&v->gate->leaving, &v->link);
    stream_when_gone(c->stream, gone, v);
}

void gate_left(struct client *c)
{
    struct gated *g = &c->gated;
    if (!g->gate)
        return;
    deadline_stop(&g->patience);
    if (g->stranger)
        list_remove(&g->link);
    g->stranger = false;
    inbound_done(&g->inbound);
    visit_end(g->visit);
    g->visit = NULL;
    gate_unref(g->gate);
    g->gate = NULL;
}

/* --- time --- */

static void is_busy(struct client *c, unsigned seconds);

/* What it owes us at present, bytes of a body or taking those of an answer, has not moved since the last look. */
static bool is_stalled(struct client *c)
{
    struct gate_progress now = {.untaken = stream_untaken(c->stream)}, before = c->gated.progress;
    bool owes = stream_backlog(c->stream) > 0;
    if (c->exchange && c->exchange->state == EXCHANGE_DONE)
        return false;
    if (c->exchange) {
        now.up = c->exchange->upload.content;
        now.down = c->exchange->download.content;
        owes |= exchange_waits_for_body(c->exchange);
    }
    now.owes = owes;
    c->gated.progress = now;
    return owes && before.owes && now.up == before.up && now.down == before.down &&
           now.untaken == before.untaken;
}

static void look(struct client *c)
{
    const struct config_gateway *g = config_gateway_named(c->relay->config, span_str(c->gated.gate->name));
    if (!is_stalled(c)) {
        is_busy(c, g ? g->idle_timeout : 0);
        return;
    }
    log_debug(c->tag, "client %s: nothing moves in the middle of a request", stream_peer(c->stream));
    c->gated.gate->limited++;
    if (!c->exchange)
        client_close(c);
    else
        exchange_give_up_body(c->exchange);
}

static void patience_over(void *owner)
{
    struct client *c = owner;
    if (c->gated.waits == GATE_BUSY) {
        look(c);
        return;
    }
    bool idle = c->gated.waits == GATE_IDLE || c->in.n == 0;
    c->gated.patience.timer = NULL;
    c->gated.waits = GATE_BUSY;
    if (idle) {
        log_debug(c->tag, "client %s: idle for too long", stream_peer(c->stream));
        client_end(c);
        return;
    }
    const struct fault fault = {408, "the head of the request did not come in time"};
    c->gated.gate->limited++;
    client_refuse(c, &fault);
}

static void wait_for(struct client *c, enum gate_waits what, unsigned seconds)
{
    struct gated *g = &c->gated;
    if (g->waits == what)
        return;
    g->waits = what;
    deadline_start(c->relay->out->loop, &g->patience, (uint64_t)seconds * 1000, patience_over, c);
}

void gate_waits(struct client *c)
{
    const struct gate *gate = c->gated.gate;
    if (!gate)
        return;
    const struct config_gateway *g = config_gateway_named(c->relay->config, span_str(gate->name));
    if (!g) /* it is leaving */
        return;
    if (c->in.n || !c->requests)
        wait_for(c, GATE_WAITS_FOR_HEAD, g->head_timeout);
    else
        wait_for(c, GATE_IDLE, g->idle_timeout);
}

unsigned gate_last_patience(const struct client *c)
{
    const struct gate *gate = c->gated.gate;
    if (!gate)
        return 0;
    const struct config_gateway *g = config_gateway_named(c->relay->config, span_str(gate->name));
    return g ? g->idle_timeout : LEAVING_SECONDS;
}

/* Two looks without anything between them are enough. */
static void is_busy(struct client *c, unsigned seconds)
{
    c->gated.waits = GATE_BUSY;
    if (seconds)
        deadline_start(c->relay->out->loop, &c->gated.patience, (uint64_t)seconds * 500, patience_over, c);
    else
        deadline_stop(&c->gated.patience);
}

void gate_busy(struct client *c)
{
    const struct gate *gate = c->gated.gate;
    if (!gate)
        return;
    const struct config_gateway *g = config_gateway_named(c->relay->config, span_str(gate->name));
    c->gated.progress = (struct gate_progress){0};
    is_busy(c, g ? g->idle_timeout : 0);
}
