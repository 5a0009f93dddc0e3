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
        t->proxies[t->n_proxies++] = h;
    }
    out->hops = t->proxies + t->n_proxies - u->n_proxies;
    out->n = u->n_proxies;
    buf_addf(&reason, "upstream %s", u->name);
    out->reason = span_dup(buf_span(&reason));
    buf_free(&reason);
    return true;
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
    if (ok)
        return t;
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

struct hop *route_direct(struct route_table *t, struct span host, uint16_t port)
{
    return direct_hop(t, host, port);
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
        t->direct_answer = direct_hop(t, host, port);
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

static void explain_hop(const struct hop *h, const char *rank, struct buf *out)
{
    if (hop_is_direct(h))
        buf_addf(out, "%s direct to %s\n", rank, h->name);
    else
        buf_addf(out, "%s proxy %s (upstream %s)%s%s\n", rank, h->name, h->upstream,
                 h->failures ? ", which could not be reached: " : "", h->failures ? h->asleep_why : "");
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

void route_table_each(struct route_table *t, void (*visit)(struct hop *h))
{
    struct list *it, *safe;
    for (size_t i = 0; i < t->n_proxies; i++)
        visit(t->proxies[i]);
    list_each(it, safe, &t->direct) visit(list_entry(it, struct hop, link));
}
