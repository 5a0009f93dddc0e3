/*
 * Clients: the relay's list of them, their bytes cut into heads, one exchange after the other. An exchange ends by asking for a call in the next round of the
 * loop (after), so nothing is freed under its own feet.
 */
#include "relay/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "relay/exchange.h"
#include "relay/tunnel.h"
#include "upstream/pool.h"

#define HELD_BYTES  ((size_t)64 * 1024)  /* of these, while it waits for a password */
#define AHEAD_BYTES ((size_t)512 * 1024) /* room beyond a head for what one read may bring with it */

static void take_next_head(struct client *c);

/* --- the pinned connection while it is idle --- */

static void pinned_lost(void *owner)
{
    struct client *c = owner;
    struct upstream *u = c->pinned;
    c->pinned = NULL;
    pool_close(u);
}

static void pinned_data(void *owner, struct span bytes)
{
    (void)bytes;
    pinned_lost(owner);
}

static void pinned_drained(void *owner)
{
    (void)owner;
}

static void pinned_failed(void *owner, const struct err *why)
{
    (void)why;
    pinned_lost(owner);
}

void client_pin(struct client *c, struct upstream *u)
{
    static const struct stream_events watching = {pinned_data, pinned_lost, pinned_drained, pinned_failed};
    if (c->pinned)
        pinned_lost(c);
    c->pinned = u;
    stream_own(u->stream, &watching, c);
    stream_read(u->stream);
}

struct upstream *client_unpin(struct client *c, const struct hop *hop)
{
    struct upstream *u = c->pinned;
    if (!u)
        return NULL;
    if (u->hop != hop) {
        pinned_lost(c);
        return NULL;
    }
    c->pinned = NULL;
    return u;
}

/* --- ends --- */

void client_close(struct client *c)
{
    later_cancel(&c->after);
    if (c->exchange)
        exchange_free(c->exchange);
    if (c->pinned)
        pinned_lost(c);
    if (c->stream)
        stream_close(c->stream);
    list_remove(&c->link);
    c->relay->clients_open--;
    buf_free(&c->in);
    free(c);
}

/* What it has been sent must arrive; so the stream ends by itself. */
static void close_gently(struct client *c)
{
    stream_linger(c->stream);
    c->stream = NULL;
    client_close(c);
}

static void after_exchange(void *owner)
{
    struct client *c = owner;
    exchange_free(c->exchange);
    c->exchange = NULL;
    switch (c->next) {
    case CLIENT_KEEP:
        take_next_head(c);
        break;
    case CLIENT_CLOSE:
        close_gently(c);
        break;
    case CLIENT_ABORT:
        stream_abort(c->stream);
        c->stream = NULL;
        client_close(c);
        break;
    case CLIENT_GONE:
        client_close(c);
        break;
    }
}

void client_exchange_over(struct client *c, enum client_next next)
{
    c->next = next;
    later_start(c->relay->out->loop, &c->after, after_exchange, c);
}

/* --- input --- */

static void set_reading(struct client *c)
{
    size_t ahead = c->exchange && c->exchange->hold.active ? HELD_BYTES : 0; /* so that its end shows */
    bool want = !c->exchange || (c->in.n <= ahead && !exchange_blocked(c->exchange));
    if (want)
        stream_read(c->stream); /* also while nothing is expected: an end of the connection shows */
    else
        stream_pause(c->stream);
}

static void take_next_head(struct client *c)
{
    struct head head;
    struct fault fault = {431, "the head of the request is too large"};
    const struct head_limits limits = {.bytes = c->relay->config->max_head,
                                       .target = head_limits_default.target,
                                       .fields = head_limits_default.fields};
    if (stream_backlog(c->stream)) { /* a client that does not read its answers gets no more of them */
        stream_pause(c->stream);
        return;
    }
    if (c->scanned == 0)
        buf_drop(&c->in, head_skip_empty_lines(buf_span(&c->in)));
    size_t length = head_end(buf_span(&c->in), &c->scanned);
    if (!length && c->in.n <= limits.bytes) {
        if (c->eof)
            close_gently(c);
        else
            set_reading(c);
        return;
    }
    c->requests++;
    c->scanned = 0;
    if (length && length <= limits.bytes &&
        head_read_request(&head, span_head(buf_span(&c->in), length), &limits, &fault)) {
        buf_drop(&c->in, length);
        if (c->in.n == 0)
            buf_free(&c->in);
        c->exchange = exchange_start(c, &head);
        client_feed(c);
    } else {
        c->exchange = exchange_refuse(c, &fault);
    }
}

void client_feed(struct client *c)
{
    if (!c->stream)
        return;
    if (c->exchange && c->in.n) {
        struct span rest = buf_span(&c->in);
        exchange_input(c->exchange, &rest);
        buf_drop(&c->in, c->in.n - rest.n);
        if (c->in.n == 0)
            buf_free(&c->in);
    }
    if (c->exchange && c->eof)
        exchange_eof(c->exchange, c->in.n == 0);
    set_reading(c);
}

static void on_data(void *owner, struct span bytes)
{
    struct client *c = owner;
    if (c->exchange && c->in.n == 0)
        exchange_input(c->exchange, &bytes);       /* straight from the read buffer */
    if (bytes.n && !buf_add_span(&c->in, bytes)) { /* reading stops long before this */
        client_close(c);
        return;
    }
    if (c->exchange)
        set_reading(c);
    else
        take_next_head(c);
}

static void on_eof(void *owner)
{
    struct client *c = owner;
    c->eof = true;
    if (c->exchange)
        exchange_eof(c->exchange, c->in.n == 0);
    else
        close_gently(c);
}

static void on_drained(void *owner)
{
    struct client *c = owner;
    if (c->exchange)
        exchange_writable(c->exchange);
    else
        take_next_head(c);
}

static void on_failed(void *owner, const struct err *why)
{
    struct client *c = owner;
    log_debug(c->exchange ? c->exchange->tag : NULL, "client %s: %s", stream_peer(c->stream), why->text);
    client_close(c);
}

/* --- the relay --- */

void relay_accept(struct relay *r, struct stream *s)
{
    static const struct stream_events events = {on_data, on_eof, on_drained, on_failed};
    char tag[16];
    snprintf(tag, sizeof tag, "c%u", ++r->clients_seen);
    if (!admit_stream(&r->admit, r->config, s, tag))
        return;
    struct client *c = mem_zero(sizeof *c);
    c->relay = r;
    c->stream = s;
    c->number = r->clients_seen;
    c->in.max = r->config->max_head + AHEAD_BYTES;
    list_push_back(&r->clients, &c->link);
    r->clients_open++;
    stream_own(s, &events, c);
    stream_read(s);
}

void relay_init(struct relay *r, struct outbound *out, struct config *config, struct route_table *routes)
{
    *r = (struct relay){.out = out, .config = config_ref(config), .routes = route_table_ref(routes)};
    list_init(&r->clients);
    list_init(&r->tunnels);
    holds_init(&r->holds);
    admit_init(&r->admit);
}

void relay_reload(struct relay *r, struct config *config, struct route_table *routes)
{
    config_ref(config);
    route_table_ref(routes);
    config_unref(r->config);
    route_table_unref(r->routes);
    r->config = config;
    r->routes = routes;
    holds_reloaded(r);
}

void relay_done(struct relay *r)
{
    while (!list_empty(&r->clients))
        client_close(list_entry(r->clients.next, struct client, link));
    while (!list_empty(&r->tunnels))
        tunnel_close(tunnel_of(r->tunnels.next));
    holds_done(&r->holds);
    admit_done(&r->admit);
    config_unref(r->config);
    route_table_unref(r->routes);
}
