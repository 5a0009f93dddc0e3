/*
 * The decision where a request goes: no-proxy destinations directly, all else to the proxies of the first upstream in order.
 * Direct hops are made when first needed and kept while they are among the most recent, so that their idle connections can be used again.
 */
#include "route/route.h"

#include <stdlib.h>

#include "base/buf.h"
#include "route/bypass.h"

#define DIRECT_HOPS_KEPT 64

struct route_table {
    int refs;
    struct bypass *bypass;
    struct hop **proxies;
    size_t n_proxies;
    size_t n_first; /* how many of them belong to the first upstream */
    char *first_reason;
    struct list direct; /* most recently used first */
    size_t n_direct;
    struct hop *direct_answer;
    struct buf reason;
};

struct route_table *route_table_new(const struct config *c, struct err *e)
{
    struct bypass *bypass = bypass_new(c->no_proxy, c->n_no_proxy, e);
    if (!bypass)
        return NULL;
    struct route_table *t = mem_zero(sizeof *t);
    struct buf reason = {0};
    t->refs = 1;
    t->bypass = bypass;
    list_init(&t->direct);
    for (size_t i = 0; i < c->n_upstreams; i++) {
        const struct config_upstream *u = &c->upstreams[i];
        t->proxies = mem_grow(t->proxies, (t->n_proxies + u->n_proxies) * sizeof(struct hop *));
        for (size_t k = 0; k < u->n_proxies; k++) {
            struct hop *h = hop_new_proxy(u, &u->proxies[k], e);
            if (!h) {
                route_table_unref(t);
                return NULL;
            }
            t->proxies[t->n_proxies++] = h;
        }
    }
    t->n_first = c->upstreams[0].n_proxies;
    buf_addf(&reason, "upstream %s", c->upstreams[0].name);
    t->first_reason = span_dup(buf_span(&reason));
    buf_free(&reason);
    return t;
}

struct route_table *route_table_ref(struct route_table *t)
{
    t->refs++;
    return t;
}

static void drop_direct(struct route_table *t, struct hop *h)
{
    list_remove(&h->link);
    t->n_direct--;
    hop_unref(h);
}

void route_table_unref(struct route_table *t)
{
    if (!t || --t->refs > 0)
        return;
    while (!list_empty(&t->direct))
        drop_direct(t, list_entry(t->direct.next, struct hop, link));
    for (size_t i = 0; i < t->n_proxies; i++)
        hop_unref(t->proxies[i]);
    free(t->proxies);
    free(t->first_reason);
    buf_free(&t->reason);
    bypass_free(t->bypass);
    free(t);
}

static struct hop *direct_hop(struct route_table *t, struct span host, uint16_t port)
{
    struct list *it, *safe;
    list_each(it, safe, &t->direct)
    {
        struct hop *h = list_entry(it, struct hop, link);
        if (h->port == port && span_ieq(span_str(h->host), host)) {
            list_remove(&h->link);
            list_push_front(&t->direct, &h->link);
            return h;
        }
    }
    struct hop *h = hop_new_direct(host, port);
    list_push_front(&t->direct, &h->link);
    if (++t->n_direct > DIRECT_HOPS_KEPT)
        drop_direct(t, list_entry(t->direct.prev, struct hop, link));
    return h;
}

void route_find(struct route_table *t, struct span host, uint16_t port, struct route *answer)
{
    const char *entry = bypass_match(t->bypass, host, port);
    if (!entry) {
        *answer = (struct route){.hops = t->proxies, .n = t->n_first, .why = t->first_reason};
        return;
    }
    t->direct_answer = direct_hop(t, host, port);
    buf_clear(&t->reason);
    buf_addf(&t->reason, "no-proxy %s", entry);
    *answer = (struct route){.hops = &t->direct_answer, .n = 1, .why = buf_cstr(&t->reason)};
}

struct hop **route_table_proxies(const struct route_table *t, size_t *n)
{
    *n = t->n_proxies;
    return t->proxies;
}

void route_table_each(struct route_table *t, void (*visit)(struct hop *h))
{
    struct list *it, *safe;
    for (size_t i = 0; i < t->n_proxies; i++)
        visit(t->proxies[i]);
    list_each(it, safe, &t->direct) visit(list_entry(it, struct hop, link));
}
