/*
 * Clients: the relay's list of them, their bytes, HTTP's cut into heads, one exchange after the other. An exchange ends by asking for a call in the next round of the
 * loop (after), so nothing is freed under its own feet.
 */
#include "relay/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "http/header.h"
#include "relay/exchange.h"

#define HELD_BYTES  ((size_t)64 * 1024)  /* of these, while it waits for a password or a decision */
#define AHEAD_BYTES ((size_t)512 * 1024) /* room beyond a head for what one read may bring with it */

#define KEEPALIVE_SECONDS 60   /* of those of other machines */
#define LAST_OWN          3600 /* seconds in which it has to take something of its last answer */
#define LAST_BEYOND       300  /* the same for those of other machines */

static void take_next(struct client *c);

/* --- ends --- */

void client_close(struct client *c)
{
    later_cancel(&c->after);
    if (c->exchange)
        exchange_free(c->exchange);
    if (c->pinned)
        client_drop_pinned(c);
    if (c->stream)
        stream_close(c->stream);
    guest_left(c);
    gate_left(c);
    list_remove(&c->link);
    c->relay->clients_open--;
    if (c->relay->draining)
        c->relay->ended(c->relay->ended_owner);
    client_drop(c, c->in.n);
    buf_free(&c->in);
    brought_free(&c->brought);
    fixed_unref(c->fixed);
    caller_unref(c->caller);
    free(c);
}

/* A program of our own may have been stopped by its user, in a terminal, for a while. */
static unsigned last_patience(const struct client *c)
{
    unsigned of_gate = gate_last_patience(c);
    return of_gate ? of_gate : c->guest.beyond ? LAST_BEYOND : LAST_OWN;
}

/* What it has been sent must arrive; so the stream ends by itself. */
void client_end(struct client *c)
{
    gate_lingers(c);
    stream_linger(c->stream, last_patience(c));
    c->stream = NULL;
    client_close(c);
}

/* With a reset, where an answer is under way: of some, the end of the connection would look like their own. */
void client_cut(struct client *c)
{
    if (c->exchange && c->stream) {
        stream_abort(c->stream);
        c->stream = NULL;
    }
    client_close(c);
}

static void after_exchange(void *owner)
{
    struct client *c = owner;
    exchange_free(c->exchange);
    c->exchange = NULL;
    switch (c->next) {
    case CLIENT_KEEP:
        take_next(c);
        break;
    case CLIENT_CLOSE:
        client_end(c);
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
    bool waits = c->exchange && (c->exchange->hold.active || c->exchange->state == EXCHANGE_ROUTE);
    size_t ahead = waits ? HELD_BYTES : 0; /* so that its end shows */
    bool want = !c->exchange || (c->in.n <= ahead && !exchange_blocked(c->exchange));
    if (want)
        stream_read(c->stream); /* also while nothing is expected: an end of the connection shows */
    else
        stream_pause(c->stream);
}

bool client_is_leaving(const struct client *c)
{
    return c->retiring || c->relay->draining;
}

/* It is, and nothing of another request is here. */
static bool may_leave(const struct client *c)
{
    return client_is_leaving(c) && !c->exchange && c->in.n == 0 && c->socks.state == 0 &&
           !stream_has_input(c->stream);
}

void client_retire(struct client *c)
{
    c->retiring = true;
    if (may_leave(c))
        client_end(c);
}

void client_wait(struct client *c)
{
    if (c->eof || may_leave(c)) {
        client_end(c);
        return;
    }
    gate_waits(c);
    set_reading(c);
}

bool client_is_beyond(const struct client *c)
{
    return c->guest.beyond || c->gated.beyond;
}

void client_begin(struct client *c, struct head *head)
{
    c->requests++;
    gate_busy(c);
    if (c->in.n == 0)
        buf_free(&c->in);
    c->exchange = exchange_start(c, head);
    client_feed(c);
}

void client_refuse(struct client *c, const struct fault *fault)
{
    c->requests++;
    gate_busy(c);
    c->exchange = exchange_refuse(c, fault);
}

/* A SOCKS program would wait for ever for the end of its "head". */
static bool speaks_socks(struct span in)
{
    return in.n && (in.p[0] == 4 || in.p[0] == 5);
}

static void take_head(struct client *c)
{
    struct head head;
    struct fault fault = {431, "the head of the request is too large"};
    const struct head_limits limits = {.bytes = c->relay->config->max_head,
                                       .target = head_limits_default.target,
                                       .fields = head_limits_default.fields};
    if (c->scanned == 0)
        buf_drop(&c->in, head_skip_empty_lines(buf_span(&c->in)));
    size_t length = head_end(buf_span(&c->in), &c->scanned);
    if (speaks_socks(buf_span(&c->in))) {
        fault =
            (struct fault){400, "SOCKS came to an address where exeat speaks HTTP: set socks in [listen], "
                                "and the program's proxy to that"};
        length = 0;
    } else if (!length && c->in.n <= limits.bytes) {
        client_wait(c);
        return;
    }
    c->scanned = 0;
    if (length && length <= limits.bytes &&
        head_read_request(&head, span_head(buf_span(&c->in), length), &limits, &fault)) {
        client_drop(c, length);
        client_begin(c, &head);
    } else {
        client_refuse(c, &fault);
    }
}

static void say_established(struct client *c)
{
    struct buf text = {0};
    buf_add_str(&text, "HTTP/1.1 200 Connection established\r\n");
    header_write_lines(&text, "Proxy-Authenticate", buf_span(&c->exchange->gate.lines));
    header_write_lines(&text, "Proxy-Authentication-Info", buf_span(&c->exchange->gate.info));
    buf_add_str(&text, "\r\n");
    stream_write(c->stream, buf_span(&text));
    buf_free(&text);
}

const struct entrance entrance_http = {
    .http = true, .tunnel = "tunnel", .take = take_head, .established = say_established};

const struct entrance entrance_gateway = {
    .http = true, .tunnel = "tunnel", .take = take_head, .established = say_established};

const struct entrance entrance_metrics = {
    .http = true, .figures = true, .tunnel = "tunnel", .take = take_head, .established = say_established};

static void take_next(struct client *c)
{
    if (stream_backlog(c->stream)) /* a client that does not read its answers gets no more of them */
        stream_pause(c->stream);
    else
        c->entrance->take(c);
}

void client_feed(struct client *c)
{
    if (!c->stream)
        return;
    if (c->exchange && c->in.n) {
        struct span rest = buf_span(&c->in);
        exchange_input(c->exchange, &rest);
        client_drop(c, c->in.n - rest.n);
        if (c->in.n == 0)
            buf_free(&c->in);
    }
    if (c->exchange && c->eof)
        exchange_eof(c->exchange, c->in.n == 0);
    set_reading(c);
}

/* Copies of a head with credentials in it must not be left where the bytes lay before: in a smaller buffer, in the loop's own. */
static bool keep(struct client *c, struct span bytes)
{
    struct buf larger = {.max = c->in.max};
    if (c->in.p && c->in.n + bytes.n > c->in.cap) {
        if (!buf_reserve(&larger, c->in.n + bytes.n))
            return false;
        buf_add_span(&larger, buf_span(&c->in));
        client_drop(c, c->in.n);
        buf_free(&c->in);
        c->in = larger;
    }
    bool kept = buf_add_span(&c->in, bytes);
    secret_wipe((char *)(uintptr_t)bytes.p, bytes.n);
    return kept;
}

void client_drop(struct client *c, size_t n)
{
    size_t before = c->in.n;
    buf_drop(&c->in, n);
    if (before > c->in.n)
        secret_wipe(c->in.p + c->in.n, before - c->in.n);
}

static void on_data(void *owner, struct span bytes)
{
    struct client *c = owner;
    if (c->exchange && c->in.n == 0)
        exchange_input(c->exchange, &bytes); /* straight from the read buffer */
    if (bytes.n && !keep(c, bytes)) {        /* reading stops long before this */
        client_close(c);
        return;
    }
    if (c->exchange)
        set_reading(c);
    else
        take_next(c);
}

static void on_eof(void *owner)
{
    struct client *c = owner;
    c->eof = true;
    if (c->exchange)
        exchange_eof(c->exchange, c->in.n == 0);
    else
        client_end(c);
}

static void on_drained(void *owner)
{
    struct client *c = owner;
    if (c->exchange)
        exchange_writable(c->exchange);
    else
        take_next(c);
}

static void on_failed(void *owner, const struct err *why)
{
    struct client *c = owner;
    log_debug(c->exchange ? c->exchange->tag : NULL, "client %s: %s", stream_peer(c->stream), why->text);
    client_close(c);
}

/* --- the relay --- */

/* Before a byte of it is read. Of those that are turned away the log of requests has as many lines as the other one: another user must not fill it. */
static bool let_in(struct relay *r, const struct entrance *entrance, const struct leads *to, struct stream *s,
                   const char *tag, bool beyond)
{
    char peer[64];
    snprintf(peer, sizeof peer, "%s", stream_peer(s));
    r->admit.who = (struct peer_id){0};
    if (to->gate ? gate_lets_come(r, to->gate, s, tag, !to->tls)
        : beyond ? admit_guest(&r->admit, r->config, s, tag, entrance->http)
                 : admit_stream(&r->admit, r->config, s, tag, entrance->http ? NULL : &entrance->turned_away))
        return true;
    r->turned_away++;
    if (admit_said_so(&r->admit))
        access_log_write(&r->log, &(struct access){.tag = tag,
                                                   .peer = span_str(peer),
                                                   .uid_known = r->admit.who.uid_known,
                                                   .uid = r->admit.who.uid,
                                                   .status = entrance->http ? 403 : 0,
                                                   .note = SPAN("turned away")});
    return false;
}

static void secured(void *owner)
{
    const struct client *c = owner;
    stream_read(c->stream);
}

void relay_accept(struct relay *r, const struct entrance *entrance, struct leads to, unsigned door,
                  struct stream *s)
{
    static const struct stream_events events = {on_data, on_eof, on_drained, on_failed};
    char tag[16];
    snprintf(tag, sizeof tag, "c%u", ++r->clients_seen);
    bool beyond = admit_is_beyond(s);
    if (!let_in(r, entrance, &to, s, tag, beyond))
        return;
    struct client *c = mem_zero(sizeof *c);
    c->relay = r;
    c->entrance = entrance;
    c->fixed = fixed_ref(to.fixed);
    c->stream = s;
    memcpy(c->tag, tag, sizeof tag);
    c->number = r->clients_seen;
    c->door = door;
    c->who = r->admit.who;
    c->caller = caller_find(&r->callers, &c->who);
    c->in.max = r->config->max_head + AHEAD_BYTES;
    list_push_back(&r->clients, &c->link);
    r->clients_open++;
    stream_own(s, &events, c);
    if (to.gate || beyond)
        stream_keepalive(s, KEEPALIVE_SECONDS);
    if (to.gate)
        gate_arrived(c, to.gate, beyond);
    else if (beyond)
        guest_arrived(c);
    if (to.tls)
        stream_secure_accepted(s, to.tls, secured);
    else
        stream_read(s);
    if (entrance == &entrance_fixed)
        take_next(c);
}
