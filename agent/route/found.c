/*
 * Results are kept by their text: scripts say the same few things again and again. Scripts are written by others, so everything here has a ceiling.
 */
#include "route/found.h"

#include <stdlib.h>

#include "base/escape.h"
#include "route/pac_result.h"
#include "source/load.h"

#define WAYS_KEPT    64
#define HOPS_KEPT    256 /* more than one result can name */
#define REASON_BYTES 200

struct kept_way {
    struct list link;
    struct found_way found;
    char *result;
};

struct kept_hop {
    struct list link;
    struct hop *hop;
};

void found_init(struct found *f, struct config *c, struct way *ways)
{
    *f = (struct found){.config = config_ref(c), .upstreams = ways};
    list_init(&f->ways);
    list_init(&f->hops);
}

static void drop_way(struct found *f, struct kept_way *k)
{
    struct way *w = &k->found.way;
    list_remove(&k->link);
    f->n_ways--;
    for (size_t i = 0; i < w->n; i++)
        hop_unref(w->hops[i]);
    free(w->hops);
    free(w->reason);
    free((char *)(uintptr_t)k->found.notes.p);
    free(k->result);
    free(k);
}

static void drop_hop(struct found *f, struct kept_hop *k)
{
    list_remove(&k->link);
    f->n_hops--;
    hop_unref(k->hop);
    free(k);
}

void found_free(struct found *f)
{
    while (f->n_ways)
        drop_way(f, list_entry(f->ways.next, struct kept_way, link));
    while (f->n_hops)
        drop_hop(f, list_entry(f->hops.next, struct kept_hop, link));
    config_unref(f->config);
}

/* --- places to hops --- */

static bool is_at(const char *host, uint16_t port, const struct pac_place *place)
{
    return port == place->port && span_ieq(span_str(host), place->host);
}

static bool is_socks(const struct pac_place *place)
{
    return place->kind == PAC_PLACE_SOCKS || place->kind == PAC_PLACE_SOCKS5;
}

/* One address that is an upstream's with TLS and named here without, or the other way round, is nobody's: the keyholder knows addresses
   alone, and would take the way there for as private as the configuration says. */
static struct hop *own_proxy(const struct found *f, const struct pac_place *place, bool *nobodys)
{
    *nobodys = false;
    for (size_t i = 0; i < f->config->n_upstreams; i++) {
        const struct config_upstream *u = &f->config->upstreams[i];
        for (size_t k = 0; k < u->n_proxies; k++) {
            const struct config_proxy *p = &u->proxies[k];
            if (!is_at(p->host, p->port, place))
                continue;
            if (p->socks == is_socks(place) && p->tls == (place->kind == PAC_PLACE_HTTPS))
                return f->upstreams[i].hops[k];
            *nobodys = true;
        }
    }
    return NULL;
}

/* Its place in the configuration, or the number of upstreams. SOCKS servers are not met by `hosts`: what they are shown is the password itself. */
static size_t upstream_for(const struct found *f, const struct pac_place *place)
{
    size_t i = 0;
    while (i < f->config->n_upstreams &&
           (is_socks(place) || !config_upstream_meets(&f->config->upstreams[i], place->host, place->port)))
        i++;
    return i;
}

/* As one of the upstream's own proxies would be. */
static struct hop *new_met(const struct found *f, size_t i, const struct pac_place *place, struct err *e)
{
    const struct config_upstream *u = &f->config->upstreams[i], *via;
    struct config_proxy p = {
        .host = span_dup(place->host), .port = place->port, .tls = place->kind == PAC_PLACE_HTTPS};
    struct hop *h = hop_new_proxy(u, &p, e);
    free(p.host);
    if (h && u->via && (via = config_upstream_named(f->config, span_str(u->via))) != NULL) {
        const struct way *through = &f->upstreams[via - f->config->upstreams];
        hop_lead_through(h, through->hops, through->n);
    }
    return h;
}

static struct hop *new_hop(const struct found *f, const struct pac_place *place, bool nobodys, struct err *e)
{
    size_t i = nobodys ? f->config->n_upstreams : upstream_for(f, place);
    if (i < f->config->n_upstreams)
        return new_met(f, i, place, e);
    if (is_socks(place))
        return hop_new_socks(place->host, place->port);
    return hop_new_found(place->host, place->port, place->kind == PAC_PLACE_HTTPS, e);
}

static struct hop *kept_hop(struct found *f, const struct pac_place *place)
{
    struct list *it, *safe;
    list_each(it, safe, &f->hops)
    {
        struct hop *h = list_entry(it, struct kept_hop, link)->hop;
        if (!is_at(h->host, h->port, place) || h->socks != is_socks(place) ||
            (h->tls != NULL) != (place->kind == PAC_PLACE_HTTPS))
            continue;
        list_remove(it);
        list_push_front(&f->hops, it);
        return h;
    }
    return NULL;
}

/* A new reference; NULL with *e. */
static struct hop *hop_of(struct found *f, const struct pac_place *place, struct err *e)
{
    bool nobodys;
    struct hop *h = own_proxy(f, place, &nobodys);
    if (!h)
        h = kept_hop(f, place);
    if (h)
        return hop_ref(h);
    h = new_hop(f, place, nobodys, e);
    if (!h)
        return NULL;
    struct kept_hop *k = mem_zero(sizeof *k);
    h->retired = f->retired;
    k->hop = h;
    list_push_front(&f->hops, &k->link);
    if (++f->n_hops > HOPS_KEPT)
        drop_hop(f, list_entry(f->hops.prev, struct kept_hop, link));
    return hop_ref(h);
}

/* --- results to ways --- */

static void add_place(struct found *f, struct found_way *w, const struct pac_place *place, struct buf *notes)
{
    struct err e = {0};
    struct hop *h = NULL;
    if (place->kind == PAC_PLACE_DIRECT) {
        w->n_direct++;
    } else if (load_is_ours(f->config, place->host, place->port)) {
        buf_addf(notes, "The entry \"%s %.*s:%u\" is skipped: that is this agent itself.\n",
                 pac_place_name(place->kind), SPAN_ARG(place->host), place->port);
        return;
    } else if (place->kind == PAC_PLACE_SOCKS4) {
        buf_addf(notes,
                 "The entry \"SOCKS4 %.*s:%u\" is skipped: of SOCKS servers only version 5 is spoken to.\n",
                 SPAN_ARG(place->host), place->port);
        return;
    } else if ((h = hop_of(f, place, &e)) == NULL) {
        buf_addf(notes, "The entry \"%s %.*s:%u\" is skipped: %s.\n", pac_place_name(place->kind),
                 SPAN_ARG(place->host), place->port, e.text);
        return;
    }
    for (size_t i = 0; i < w->way.n; i++) {
        if (w->way.hops[i] != h)
            continue;
        w->n_direct -= h == NULL; /* once is enough */
        hop_unref(h);
        return;
    }
    w->way.hops[w->way.n++] = h;
}

static void read_way(struct found *f, struct found_way *w, struct span text)
{
    struct pac_result r;
    struct buf reason = {0};
    pac_result_read(&r, text);
    w->way.hops = mem_zero((r.n + 1) * sizeof(struct hop *));
    for (size_t i = 0; i < r.n; i++)
        add_place(f, w, &r.places[i], &r.notes);
    buf_addf(&reason, "PAC: %.*s%s", SPAN_ARG(escape_head(text, REASON_BYTES)),
             text.n > REASON_BYTES ? "..."
             : text.n              ? ""
                                   : "DIRECT");
    w->way.reason = span_dup(buf_span(&reason));
    w->notes = span_make(span_dup(buf_span(&r.notes)), r.notes.n);
    buf_free(&reason);
    pac_result_free(&r);
}

struct found_way *found_way(struct found *f, struct span result)
{
    struct list *it, *safe;
    list_each(it, safe, &f->ways)
    {
        struct kept_way *k = list_entry(it, struct kept_way, link);
        if (!span_eq(span_str(k->result), result))
            continue;
        list_remove(it);
        list_push_front(&f->ways, it);
        return &k->found;
    }
    struct kept_way *k = mem_zero(sizeof *k);
    k->result = span_dup(result);
    read_way(f, &k->found, result);
    list_push_front(&f->ways, &k->link);
    if (++f->n_ways > WAYS_KEPT)
        drop_way(f, list_entry(f->ways.prev, struct kept_way, link));
    return &k->found;
}

void found_each(struct found *f, void (*visit)(struct hop *h))
{
    struct list *it, *safe;
    list_each(it, safe, &f->hops) hop_visit(list_entry(it, struct kept_hop, link)->hop, visit);
}

void found_of(struct found *f, struct span upstream, void (*visit)(struct hop *h))
{
    struct list *it, *safe;
    list_each(it, safe, &f->hops) hop_visit_own(list_entry(it, struct kept_hop, link)->hop, upstream, visit);
}

void found_of_user(struct found *f, struct span upstream, struct span user, void (*visit)(struct hop *h))
{
    struct list *it, *safe;
    list_each(it, safe, &f->hops)
        hop_visit_user(list_entry(it, struct kept_hop, link)->hop, upstream, user, visit);
}

bool found_detour(const struct found *f)
{
    for (const struct list *it = f->ways.next; it != &f->ways; it = it->next)
        if (list_entry(it, const struct kept_way, link)->found.way.detour)
            return true;
    return false;
}
