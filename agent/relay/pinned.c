/*
 * The connection to a proxy that is one client's alone, while no exchange has it: whatever comes from it then, it is over. The client owns it. Loop thread.
 */
#include "relay/client.h"
#include "upstream/pool.h"

void client_drop_pinned(struct client *c)
{
    struct upstream *u = c->pinned;
    c->pinned = NULL;
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

void client_pin(struct client *c, struct upstream *u)
{
    static const struct stream_events watching = {pinned_data, pinned_lost, pinned_drained, pinned_failed};
    if (c->pinned)
        client_drop_pinned(c);
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
        client_drop_pinned(c);
        return NULL;
    }
    c->pinned = NULL;
    return u;
}
