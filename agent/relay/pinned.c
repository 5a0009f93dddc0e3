/*
 * The connection to a proxy that is one client's alone, while no exchange has it: whatever comes from it then, it is over. The client owns it. Loop thread.
 */
#include <stdlib.h>

#include "relay/client.h"
#include "upstream/pool.h"

void client_drop_pinned(struct client *c)
{
    struct upstream *u = c->pinned;
    c->pinned = NULL;
    free(c->pinned_for);
    c->pinned_for = NULL;
    pool_close(u);
}

static void pinned_lost(void *owner)
{
    client_drop_pinned(owner);
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

void client_pin(struct client *c, struct upstream *u, const char *user)
{
    static const struct stream_events watching = {pinned_data, pinned_lost, pinned_drained, pinned_failed};
    if (c->pinned)
        client_drop_pinned(c);
    c->pinned = u;
    c->pinned_for = user ? mem_strdup(user) : NULL;
    stream_own(u->stream, &watching, c);
    stream_read(u->stream);
}

struct upstream *client_unpin(struct client *c, const struct hop *hop, const char *user)
{
    struct upstream *u = c->pinned;
    if (!u)
        return NULL;
    if (u->hop != hop || !span_eq(span_str(c->pinned_for), span_str(user))) {
        client_drop_pinned(c);
        return NULL;
    }
    c->pinned = NULL;
    free(c->pinned_for);
    c->pinned_for = NULL;
    return u;
}
