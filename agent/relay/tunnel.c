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
    char tag[24];
    uint64_t began;
    char *what;
    struct tally *guest; /* a reference; NULL: of this machine */
};

static struct side *other(struct side *s)
{
    return s == &s->tunnel->client ? &s->tunnel->upstream : &s->tunnel->client;
}

static void release(struct tunnel *t, void (*end_client)(struct stream *),
                    void (*end_upstream)(struct stream *))
{
    struct relay *r = t->relay;
    if (r->config->log_requests)
        log_info(t->tag, "tunnel to %s closed: %llu bytes up, %llu down, %llu ms", t->what,
                 (unsigned long long)stream_bytes_out(t->upstream.stream),
                 (unsigned long long)stream_bytes_out(t->client.stream),
                 (unsigned long long)(loop_now(r->out->loop) - t->began));
    list_remove(&t->link);
    r->tunnels_open--;
    end_client(t->client.stream);
    end_upstream(t->upstream.stream);
    tally_leave(t->guest);
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

static void on_data(void *owner, struct span bytes)
{
    struct side *from = owner, *to = other(from);
    struct counters *c = &from->tunnel->relay->out->counters;
    *(from == &from->tunnel->client ? &c->bytes_up : &c->bytes_down) += bytes.n;
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
    log_debug(t->tag, "tunnel: the %s's side broke: %s", side == &t->client ? "client" : "proxy", why->text);
    /* What the other side has been sent is worthless without the rest: it sees a reset, not an end. */
    bool client_broke = side == &t->client;
    release(t, client_broke ? stream_close : stream_abort, client_broke ? stream_abort : stream_close);
}

static const struct stream_events side_events = {on_data, on_eof, on_drained, on_failed};

static void join(struct side *s, struct tunnel *t, struct stream *stream)
{
    s->tunnel = t;
    s->stream = stream;
    stream_own(stream, &side_events, s);
    stream_keepalive(stream, KEEPALIVE_SECONDS);
}

void tunnel_start(struct relay *relay, struct stream *client, struct stream *upstream, struct span early_up,
                  struct span early_down, bool client_ended, const char *tag, struct span what)
{
    struct tunnel *t = mem_zero(sizeof *t);
    t->relay = relay;
    t->began = loop_now(relay->out->loop);
    t->what = span_dup(what);
    strncpy(t->tag, tag, sizeof t->tag - 1);
    list_push_back(&relay->tunnels, &t->link);
    relay->tunnels_open++;
    relay->out->counters.tunnels++;
    relay->out->counters.bytes_up += early_up.n;
    relay->out->counters.bytes_down += early_down.n;
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
}

void tunnel_count_for(struct tunnel *t, struct tally *guest)
{
    t->guest = guest;
}

struct tunnel *tunnel_of(struct list *link)
{
    return list_entry(link, struct tunnel, link);
}
