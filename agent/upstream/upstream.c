/*
 * One connection: its states, its keyholder context, its end.
 */
#include "upstream/upstream.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"

#define BIT(s) (1u << (s))

static const struct {
    const char *name;
    unsigned next; /* states that may follow */
} states[UPSTREAM_STATES] = {
    [UPSTREAM_FRESH] = {"fresh", BIT(UPSTREAM_SHAKING) | BIT(UPSTREAM_BUSY) | BIT(UPSTREAM_READY) |
                                     BIT(UPSTREAM_CLOSED)},
    [UPSTREAM_SHAKING] = {"shaking", BIT(UPSTREAM_BUSY) | BIT(UPSTREAM_READY) | BIT(UPSTREAM_CLOSED)},
    [UPSTREAM_BUSY] = {"busy", BIT(UPSTREAM_READY) | BIT(UPSTREAM_SHAKING) | BIT(UPSTREAM_CLOSED)},
    [UPSTREAM_READY] = {"ready", BIT(UPSTREAM_BUSY) | BIT(UPSTREAM_SHAKING) | BIT(UPSTREAM_CLOSED)},
    [UPSTREAM_CLOSED] = {"closed", 0},
};

const char *upstream_state_name(enum upstream_state s)
{
    return states[s].name;
}

struct upstream *upstream_new(struct outbound *out, struct hop *hop, struct stream *s)
{
    static unsigned number;
    struct upstream *u = mem_zero(sizeof *u);
    u->out = out;
    u->hop = hop_ref(hop);
    u->stream = s;
    list_init(&u->link);
    list_init(&u->idle);
    list_init(&u->kept);
    snprintf(u->tag, sizeof u->tag, "u%u", ++number);
    out->counters.connections +=
        hop_base(hop)->n_through == 0; /* else one of those through which it leads is counted */
    log_debug(u->tag, "connected to %s (%s)", hop->name, stream_peer(s));
    return u;
}

void upstream_move(struct upstream *u, enum upstream_state to)
{
    if (u->state == to)
        return;
    if (!(states[u->state].next & BIT(to))) {
        log_error(u->tag, "a connection cannot go from %s to %s; it will not be used again",
                  states[u->state].name, states[to].name);
        u->stale = true;
        return;
    }
    log_debug(u->tag, "%s -> %s", states[u->state].name, states[to].name);
    u->state = to;
}

bool upstream_has_context(const struct upstream *u)
{
    return u->context && u->instance == keys_client_instance(u->out->keys);
}

static void end_context(struct upstream *u)
{
    if (!upstream_has_context(u))
        return;
    struct keys_msg close = {.type = KEYS_CLOSE, .context = u->context};
    keys_client_tell(u->out->keys, u->instance, &close);
    u->context = 0;
}

static void release(struct upstream *u)
{
    end_context(u);
    upstream_move(u, UPSTREAM_CLOSED);
    list_remove(&u->link);
    list_remove(&u->idle);
    secret_free(&u->header);
    buf_free(&u->challenge);
    hop_unref(u->hop);
    free(u);
}

void upstream_free(struct upstream *u)
{
    stream_close(u->stream);
    release(u);
}

struct stream *upstream_take_stream(struct upstream *u)
{
    struct stream *s = u->stream;
    u->stream = NULL;
    release(u);
    return s;
}
