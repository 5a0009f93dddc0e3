/*
 * The decision where a request goes: the rules first (route/rules.h), all else to the proxies of the first upstream, in order.
 * Direct hops are made when first needed and kept while they are among the most recent, so that their idle connections can be used again.
 */
#include "route/route.h"

#include <stdlib.h>

#include "route/rules.h"

#define DIRECT_HOPS_KEPT 64

struct route_table {
    int refs;
    struct rules rules;
    struct header_rules *headers; /* a reference; NULL: none */
    struct hop **proxies;         /* of all upstreams */
    size_t n_proxies;
    struct way *ways; /* their hops stand in `proxies` */
    size_t n_ways;
    bool may_go_direct;
    struct list direct; /* most recently used first */
    size_t n_direct;
    struct hop *direct_answer;
};

static bool add_proxies(struct route_table *t, const struct config_upstream *u, struct err *e)
{
    struct way *out = &t->ways[t->n_ways++];
    struct buf reason = {0};
    for (size_t k = 0; k < u->n_proxies; k++) {
        struct hop *h = hop_new_proxy(u, &u->proxies[k], e);
        if (!h)
            return false;
        h->headers = header_rules_ref(t->headers);
        t->proxies[t->n_proxies++] = h;
    }
    out->hops = t->proxies + t->n_proxies - u->n_proxies;
    out->n = u->n_proxies;
    buf_addf(&reason, "upstream %s", u->name);
    out->reason = span_dup(buf_span(&reason));
    buf_free(&reason);
    return true;
}

/* When all ways are there: those that lead through another one. */
static void join_ways(struct route_table *t, const struct config *c)
{
    for (size_t i = 0; i < t->n_ways; i++) {
        const struct config_upstream *u = &c->upstreams[i], *via = NULL;
        if (u->via)
            via = config_upstream_named(c, span_str(u->via));
        for (size_t k = 0; via && k < t->ways[i].n; k++)
            hop_lead_through(t->ways[i].hops[k], t->ways[via - c->upstreams].hops,
                             t->ways[via - c->upstreams].n);
    }
}

struct route_table *route_table_new(const struct config *c, struct err *e)
{
    struct route_table *t = mem_zero(sizeof *t);
    size_t n = 0;
    t->refs = 1;
    t->may_go_direct = c->when_unreachable == UNREACHABLE_DIRECT;
    list_init(&t->direct);
    for (size_t i = 0; i < c->n_upstreams; i++)
        n += c->upstreams[i].n_proxies;
    t->proxies = mem_zero(n * sizeof(struct hop *));
    t->ways = mem_zero(c->n_upstreams * sizeof *t->ways);
    bool ok = rules_read(&t->rules, c, e) && header_rules_new(&t->headers, c, e);
    for (size_t i = 0; ok && i < c->n_upstreams; i++)
        ok = add_proxies(t, &c->upstreams[i], e);
    if (ok) {
        join_ways(t, c);
        return t;
    }
    route_table_unref(t);
    return NULL;
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
    for (size_t i = 0; i < t->n_ways; i++)
        free(t->ways[i].reason);
    free(t->ways);
    free(t->proxies);
    rules_free(&t->rules);
    header_rules_unref(t->headers);
    free(t);
}

/* `through` NULL: reached straight. */
static struct hop *direct_hop(struct route_table *t, struct hop *through, struct span host, uint16_t port)
{
    struct list *it, *safe;
    list_each(it, safe, &t->direct)
    {
        struct hop *h = list_entry(it, struct hop, link);
        struct hop *its = h->n_through ? h->through[0] : NULL;
        if (its == through && h->port == port && span_ieq(span_str(h->host), host)) {
            list_remove(&h->link);
            list_push_front(&t->direct, &h->link);
            return h;
        }
    }
    struct hop *h = through ? hop_new_beyond(through, host, port) : hop_new_direct(host, port);
    list_push_front(&t->direct, &h->link);
    if (++t->n_direct > DIRECT_HOPS_KEPT)
        drop_direct(t, list_entry(t->direct.prev, struct hop, link));
    return h;
}

struct hop *route_direct(struct route_table *t, struct span host, uint16_t port)
{
    return direct_hop(t, NULL, host, port);
}

struct hop *route_beyond(struct route_table *t, struct hop *hop, struct span host, uint16_t port, bool tunnel)
{
    return hop_wants_beyond(hop, tunnel) ? direct_hop(t, hop, host, port) : hop;
}

void route_find(struct route_table *t, struct span host, uint16_t port, struct route *answer)
{
    const struct rule *rule = rules_match(&t->rules, host, port);
    struct way *out = &t->ways[rule ? rule->upstream : 0];
    *answer = (struct route){.why = rule ? rule->text : out->reason};
    switch (rule ? rule->way : WAY_UPSTREAM) {
    case WAY_BLOCK:
        break;
    case WAY_DIRECT:
        t->direct_answer = direct_hop(t, NULL, host, port);
        answer->hops = &t->direct_answer;
        answer->n = 1;
        break;
    case WAY_UPSTREAM:
        answer->way = out;
        answer->hops = out->hops;
        answer->n = out->n;
        answer->may_go_direct = t->may_go_direct;
        break;
    }
}

bool route_prefers(const struct route *r, const struct hop *h, uint64_t now)
{
    return r->may_go_direct ? h->failures == 0 : !hop_asleep(h, now);
}

static void explain_proxy(const struct hop *h, struct buf *out)
{
    buf_addf(out, "%s %s", h->socks ? "SOCKS server" : "proxy", h->name);
    if (h->upstream)
        buf_addf(out, " (upstream %s)", h->upstream);
    if (h->connect_always)
        buf_add_str(out, ", by tunnels alone (connect-always)");
    if (h->failures)
        buf_addf(out, ", which could not be reached: %s", h->asleep_why);
}

static void explain_hop(const struct hop *h, const char *rank, struct buf *out)
{
    buf_addf(out, "%s ", rank);
    if (hop_is_direct(h))
        buf_addf(out, "direct to %s", h->name);
    else
        explain_proxy(h, out);
    buf_add_str(out, "\n");
    for (unsigned depth = 1; h->n_through; depth++) {
        for (size_t i = 0; i < h->n_through; i++) {
            buf_addf(out, "%*s%s ", 3 * (int)depth + 3, "", i ? "or" : "through");
            explain_proxy(h->through[i], out);
            buf_add_str(out, "\n");
        }
        h = h->through[0];
    }
}

static void explain_ways(const struct route *r, uint64_t now, struct buf *out)
{
    static const char first[] = "=>", other[] = "   else", left_out[] = "   not at present:";
    const char *rank = first;
    for (size_t i = 0; i < r->n; i++) {
        if (route_prefers(r, r->hops[i], now)) {
            explain_hop(r->hops[i], rank, out);
            rank = other;
        }
    }
    if (r->may_go_direct)
        buf_addf(out, "%s direct (when-unreachable = direct)\n", rank);
    for (size_t i = 0; i < r->n; i++) {
        if (!route_prefers(r, r->hops[i], now)) {
            explain_hop(r->hops[i], r->may_go_direct ? left_out : rank, out);
            rank = other;
        }
    }
}

/* Whose credentials it goes with, where these are not ours. */
static void explain_credentials(const struct route *r, struct span host, uint16_t port, struct buf *out)
{
    const struct hop *h = r->n ? r->hops[0] : NULL;
    if (h && h->authenticates && hop_exempts(h, host, port))
        buf_addf(out, "   without credentials (no-auth of upstream %s)\n", h->upstream);
    else if (h && h->uses_client)
        buf_add_str(out,
                    "   with the user and password that the program brings (client-credentials = use)\n");
}

void route_explain(struct route_table *t, struct span host, uint16_t port, uint64_t now, struct buf *out)
{
    struct route answer;
    const struct rule *rule = rules_match(&t->rules, host, port);
    for (size_t i = 0; i < t->rules.n && &t->rules.rows[i] != rule; i++)
        buf_addf(out, "%s: does not match\n", t->rules.rows[i].text);
    if (rule)
        buf_addf(out, "%s: matches\n", rule->text);
    else
        buf_addf(out, "no rule matches: the first upstream\n");
    route_find(t, host, port, &answer);
    if (answer.n == 0)
        buf_add_str(out, "=> blocked\n");
    explain_ways(&answer, now, out);
    explain_credentials(&answer, host, port, out);
}

struct header_rules *route_table_headers(const struct route_table *t)
{
    return t->headers;
}

struct way *route_table_ways(const struct route_table *t, size_t *n)
{
    *n = t->n_ways;
    return t->ways;
}

struct hop **route_table_proxies(const struct route_table *t, size_t *n)
{
    *n = t->n_proxies;
    return t->proxies;
}

/* A proxy, and its faces: each may go with its last connection. */
static void visit_all(struct hop *proxy, bool faces, void (*visit)(struct hop *h))
{
    struct list *it, *safe;
    if (faces)
        list_each(it, safe, &proxy->faces) visit(list_entry(it, struct hop, link));
    visit(proxy);
}

void route_table_each(struct route_table *t, void (*visit)(struct hop *h))
{
    struct list *it, *safe;
    for (size_t i = 0; i < t->n_proxies; i++)
        visit_all(t->proxies[i], true, visit);
    list_each(it, safe, &t->direct) visit(list_entry(it, struct hop, link));
}

void route_table_of(struct route_table *t, struct span upstream, void (*visit)(struct hop *h))
{
    struct list *it, *safe;
    for (size_t i = 0; i < t->n_proxies; i++)
        if (hop_meets(t->proxies[i], upstream))
            visit_all(t->proxies[i], t->proxies[i]->n_through > 0, visit);
    list_each(it, safe, &t->direct)
    {
        struct hop *h = list_entry(it, struct hop, link);
        if (hop_meets(h, upstream))
            visit(h);
    }
}
