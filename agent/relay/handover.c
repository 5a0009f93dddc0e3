/*
 * From an exchange to a tunnel: both streams change hands, with the bytes that were already read on either side.
 */
#include "relay/handover.h"

#include "relay/forward.h"
#include "relay/reply.h"
#include "relay/tunnel.h"

static void into_tunnel(struct exchange *e, struct stream *up, struct span early_down)
{
    struct client *c = e->client;
    struct access what;
    reply_handover(e, &what);
    tunnel_start(e->relay, c->stream, up, buf_span(&c->in), early_down, c->eof, &what, c->caller);
    tunnel_count_for(tunnel_of(e->relay->tunnels.prev), guest_hand_over(c));
    tunnel_visit(tunnel_of(e->relay->tunnels.prev), gate_hand_over(c));
    c->stream = NULL;
    exchange_over(e, CLIENT_GONE);
}

void handover_answered(struct exchange *e)
{
    struct buf rest = {0};
    buf_add_span(&rest, leg_rest(&e->ask.leg));
    forward_tunnel_head(e, &e->ask.leg.head);
    into_tunnel(e, pool_take_stream(ask_take(&e->ask)), buf_span(&rest));
    buf_free(&rest);
}

/* CONNECT to a destination without a proxy: no HTTP is spoken to it. */
static void direct_connected(void *owner, struct upstream *u)
{
    struct exchange *e = owner;
    e->status = 200;
    forward_established(e);
    into_tunnel(e, pool_take_stream(u), SPAN(""));
}

static void direct_failed(void *owner, const struct unreached *why)
{
    struct ask_failure failure;
    ask_failure_from(&failure, why);
    exchange_failed(owner, &failure);
}

void handover_direct(struct exchange *e, struct hop *hop)
{
    static const struct lease_events events = {direct_connected, direct_failed};
    lease_start(&e->lease, e->relay->out, hop, gate_behalf(e), true, &events, e);
}
