/*
 * Tunnels: two one-way pumps over the two streams. Backpressure: the side that feeds a backlog stops reading until it is sent.
 */
#include "relay/tunnel.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"

#define KEEPALIVE_SECONDS 60

struct side {
    struct tunnel *tunnel;
    struct stream *stream;
    bool ended; /* it will send no more */
};

struct tunnel {
    struct relay *relay;
    struct list link;
    struct side client, upstream;
    struct access *what;   /* our copy; its milliseconds are those before it became a tunnel */
    struct caller *caller; /* a reference, or NULL */
    uint64_t began;
    struct tally *guest; /* a reference; NULL: of this machine */
    struct visit *visit; /* of a gateway's client; NULL: it is none */
    bool finishing;      /* nothing more is passed on */
    struct deadline idle;
    uint64_t moved;   /* loop_now of the last bytes that came, or that we know to have been taken */
    uint64_t untaken; /* of both sides, at the last look */
};

static struct side *other(struct side *s)
{
    return s == &s->tunnel->client ? &s->tunnel->upstream : &s->tunnel->client;
}

static void release(struct tunnel *t, void (*end_client)(struct stream *),
                    void (*end_upstream)(struct stream *))
{
    struct relay *r = t->relay;
    t->what->milliseconds += loop_now(r->out->loop) - t->began;
    t->what->at = (struct timespec){0};
    caller_log(t->caller, &r->log, t->what);
    caller_unref(t->caller);
    list_remove(&t->link);
    deadline_stop(&t->idle);
    r->tunnels_open--;
    if (r->draining)
        r->ended(r->ended_owner);
    end_client(t->client.stream);
    end_upstream(t->upstream.stream);
    tally_leave(t->guest);
    visit_end(t->visit);
    free(t->what);
    free(t);
}

void tunnel_close(struct tunnel *t)
{
    release(t, stream_close, stream_close);
}

static void both_ended(struct tunnel *t)
{
    if (t->client.ended && t->upstream.ended && !stream_backlog(t->client.stream) &&
        !stream_backlog(t->upstream.stream))
        tunnel_close(t);
}

static void count(struct tunnel *t, bool up, size_t n)
{
    struct counters *c = &t->relay->out->counters;
    *(up ? &c->bytes_up : &c->bytes_down) += n;
    *(up ? &t->what->up : &t->what->down) += n;
}

static void on_data(void *owner, struct span bytes)
{
    struct side *from = owner, *to = other(from);
    struct tunnel *t = from->tunnel;
    if (t->finishing)
        return;
    t->moved = loop_now(t->relay->out->loop);
    count(t, from == &t->client, bytes.n);
    stream_write(to->stream, bytes);
    if (stream_backlog(to->stream))
        stream_pause(from->stream);
}

static void on_eof(void *owner)
{
    struct side *from = owner;
    from->ended = true;
    stream_shutdown(other(from)->stream);
    both_ended(from->tunnel);
}

static void on_drained(void *owner)
{
    struct side *to = owner, *from = other(to);
    if (!from->ended)
        stream_read(from->stream);
    both_ended(to->tunnel);
}

static void on_failed(void *owner, const struct err *why)
{
    struct side *side = owner;
    struct tunnel *t = side->tunnel;
    log_debug(t->what->tag, "tunnel: the %s's side broke: %s", side == &t->client ? "client" : "proxy",
              why->text);
    /* What the other side has been sent is worthless without the rest: it sees a reset, not an end. */
    bool client_broke = side == &t->client;
    release(t, client_broke ? stream_close : stream_abort, client_broke ? stream_abort : stream_close);
}

static const struct stream_events side_events = {on_data, on_eof, on_drained, on_failed};

/* --- time --- */

/* Milliseconds; 0: no limit. */
static uint64_t most_idle(const struct tunnel *t)
{
    const struct config *c = t->relay->config;
    const struct config_gateway *g =
        t->visit ? config_gateway_named(c, span_str(visit_gate(t->visit)->name)) : NULL;
    return (uint64_t)(g ? g->tunnel_idle : c->tunnel_idle) * 1000;
}

static void look(void *owner);

/* The clock is not set back with each byte: it looks, once in that time, whether there have been any. */
static void wait_on(struct tunnel *t)
{
    uint64_t most = most_idle(t), quiet = loop_now(t->relay->out->loop) - t->moved;
    if (most)
        deadline_start(t->relay->out->loop, &t->idle, quiet < most ? most - quiet : 0, look, t);
    else
        deadline_stop(&t->idle);
}

/* Of what it was sent a part was not taken: the other side must not believe that to be the whole. */
static void end_idle(struct stream *s)
{
    if (stream_backlog(s))
        stream_abort(s);
    else
        stream_close(s);
}

static void look(void *owner)
{
    struct tunnel *t = owner;
    uint64_t now = loop_now(t->relay->out->loop);
    uint64_t untaken = stream_untaken(t->client.stream) + stream_untaken(t->upstream.stream);
    if (untaken != t->untaken) /* somebody slow takes some of it */
        t->moved = now;
    t->untaken = untaken;
    if (now - t->moved < most_idle(t)) {
        wait_on(t);
        return;
    }
    if (t->visit)
        visit_gate(t->visit)->limited++;
    t->what->note = SPAN("idle for too long");
    release(t, end_idle, end_idle);
}

void tunnel_reloaded(struct tunnel *t)
{
    wait_on(t);
}

/* --- life --- */

static void join(struct side *s, struct tunnel *t, struct stream *stream)
{
    s->tunnel = t;
    s->stream = stream;
    stream_own(stream, &side_events, s);
    stream_keepalive(stream, KEEPALIVE_SECONDS);
}

void tunnel_start(struct relay *relay, struct stream *client, struct stream *upstream, struct span early_up,
                  struct span early_down, bool client_ended, const struct access *what, struct caller *caller)
{
    struct tunnel *t = mem_zero(sizeof *t);
    t->relay = relay;
    t->began = t->moved = loop_now(relay->out->loop);
    t->what = access_keep(what);
    t->caller = caller_ref(caller);
    t->what->up = t->what->down = 0;
    t->what->tunnel = true;
    list_push_back(&relay->tunnels, &t->link);
    relay->tunnels_open++;
    relay->out->counters.tunnels++;
    count(t, true, early_up.n);
    count(t, false, early_down.n);
    join(&t->client, t, client);
    join(&t->upstream, t, upstream);
    stream_write(upstream, early_up);
    stream_write(client, early_down);
    if (!stream_backlog(client))
        stream_read(upstream);
    if (client_ended) {
        t->client.ended = true;
        stream_shutdown(upstream);
    } else if (!stream_backlog(upstream)) {
        stream_read(client);
    }
    wait_on(t);
}

void tunnel_count_for(struct tunnel *t, struct tally *guest)
{
    t->guest = guest;
}

void tunnel_visit(struct tunnel *t, struct visit *visit)
{
    t->visit = visit;
    wait_on(t);
}

void tunnel_finish(struct tunnel *t)
{
    struct side *sides[] = {&t->client, &t->upstream};
    t->finishing = true;
    for (size_t i = 0; i < 2; i++) {
        stream_shutdown(sides[i]->stream);
        if (!sides[i]->ended)
            stream_read(sides[i]->stream); /* so that its end shows */
    }
    both_ended(t);
}

struct tunnel *tunnel_of(struct list *link)
{
    return list_entry(link, struct tunnel, link);
}
