/*
 * The relay from its beginning to its end: what it holds, other settings, doors that close, and all of it. Loop thread.
 */
#include "relay/relay.h"

#include "relay/client.h"
#include "relay/tunnel.h"

void relay_init(struct relay *r, struct outbound *out, struct config *config, struct route_table *routes)
{
    *r = (struct relay){
        .out = out, .config = config_ref(config), .routes = route_table_ref(routes), .started = time(NULL)};
    list_init(&r->clients);
    list_init(&r->tunnels);
    holds_init(&r->holds);
    guests_init(&r->guests);
    gates_init(&r->gates);
    callers_init(&r->callers, &r->log);
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
    r->gates.edition++;
    holds_reloaded(r);
    struct list *it, *safe;
    list_each(it, safe, &r->tunnels) tunnel_reloaded(tunnel_of(it));
}

unsigned relay_door(struct relay *r)
{
    return ++r->doors_seen;
}

void relay_retire(struct relay *r, unsigned door)
{
    struct list *it, *safe;
    list_each(it, safe, &r->clients)
    {
        struct client *c = list_entry(it, struct client, link);
        if (c->door == door)
            client_retire(c);
    }
}

void relay_drain(struct relay *r, void (*ended)(void *owner), void *owner)
{
    struct list *it, *safe;
    r->ended = ended;
    r->ended_owner = owner;
    r->draining = true;
    holds_give_up(r);
    list_each(it, safe, &r->clients) client_retire(list_entry(it, struct client, link));
}

bool relay_is_empty(const struct relay *r)
{
    return r->clients_open == 0 && r->tunnels_open == 0;
}

size_t relay_finish(struct relay *r)
{
    struct list *it, *safe;
    size_t cut = 0;
    list_each(it, safe, &r->clients)
    {
        struct client *c = list_entry(it, struct client, link);
        cut += c->exchange != NULL;
        client_cut(c);
    }
    list_each(it, safe, &r->tunnels) tunnel_finish(tunnel_of(it));
    return cut;
}

void relay_done(struct relay *r)
{
    while (!list_empty(&r->clients))
        client_cut(list_entry(r->clients.next, struct client, link));
    while (!list_empty(&r->tunnels))
        tunnel_close(tunnel_of(r->tunnels.next));
    holds_done(&r->holds);
    guests_done(&r->guests);
    gates_done(&r->gates);
    sums_free(&r->sums);
    standing_done(r);
    admit_done(&r->admit);
    config_unref(r->config);
    route_table_unref(r->routes);
}
