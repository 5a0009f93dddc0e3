/*
 * What a decision where a request goes is made of: the rules (route/rules.h), what a PAC script said (route/found.h), the proxies of the first upstream, in order.
 * Who asks what, and when, is decide.c's.
 * Direct hops are made when first needed and kept while they are among the most recent, so that their idle connections can be used again; and as long as there
 * are any of these, so that whoever goes round all hops (at a reload, after a login, at the end) finds every connection.
 */
#include "route/route.h"

#include <stdlib.h>

#include "route/found.h"
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
    struct found found; /* by PAC scripts */
    bool asks_pac;
    enum pac_policy pac_failure;
    bool retired;
    struct hop **answer; /* the last one's hops, where they are no way's own */
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

struct route_table *route_table_new(struct config *c, struct err *e)
{
    struct route_table *t = mem_zero(sizeof *t);
    size_t n = 0;
    t->refs = 1;
    t->may_go_direct = c->when_unreachable == UNREACHABLE_DIRECT;
    t->asks_pac = c->pac != PAC_FROM_NOWHERE || c->wpad != WPAD_NO;
    t->pac_failure = c->pac_failure;
    list_init(&t->direct);
    for (size_t i = 0; i < c->n_upstreams; i++)
        n += c->upstreams[i].n_proxies;
    t->proxies = mem_zero(n * sizeof(struct hop *));
    t->ways = mem_zero(c->n_upstreams * sizeof *t->ways);
    found_init(&t->found, c, t->ways);
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
    found_free(&t->found);
    free(t->answer);
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

/* Of those that are not among the most recent, whom nobody uses goes. */
static void evict(struct route_table *t)
{
    struct list *it = t->direct.prev;
    for (size_t n = t->n_direct; n > DIRECT_HOPS_KEPT; n--) {
        struct hop *h = list_entry(it, struct hop, link);
        it = it->prev;
        if (h->refs == 1)
            drop_direct(t, h);
    }
}

/* `through` NULL: reached straight. */
static struct hop *direct_hop(struct route_table *t, struct hop *through, bool outside, struct span host,
                              uint16_t port)
{
    struct list *it, *safe;
    list_each(it, safe, &t->direct)
    {
        struct hop *h = list_entry(it, struct hop, link);
        struct hop *its = h->n_through ? h->through[0] : NULL;
        if (its == through && h->outside == outside && h->port == port && span_ieq(span_str(h->host), host)) {
            list_remove(&h->link);
            list_push_front(&t->direct, &h->link);
            return h;
        }
    }
    struct hop *h = through ? hop_new_beyond(through, host, port) : hop_new_direct(host, port);
    h->retired = t->retired;
    h->outside = outside;
    list_push_front(&t->direct, &h->link);
    t->n_direct++;
    evict(t);
    return h;
}

struct hop *route_direct(struct route_table *t, struct span host, uint16_t port)
{
    return direct_hop(t, NULL, false, host, port);
}

struct hop *route_outside(struct route_table *t, const struct hop *direct)
{
    return direct_hop(t, NULL, true, span_str(direct->host), direct->port);
}

struct hop *route_beyond(struct route_table *t, struct hop *hop, struct span host, uint16_t port, bool tunnel)
{
    return hop_wants_beyond(hop, tunnel) ? direct_hop(t, hop, false, host, port) : hop;
}

/* Room for the hops of an answer. */
static struct hop **answer_of(struct route_table *t, size_t n)
{
    t->answer = mem_grow(t->answer, (n + 1) * sizeof(struct hop *));
    return t->answer;
}

void route_past(struct route_table *t, struct span host, uint16_t port, const char *why, struct route *answer)
{
    *answer = (struct route){.why = why, .hops = answer_of(t, 1), .n = 1};
    answer->hops[0] = direct_hop(t, NULL, false, host, port);
}

static void by_way(struct route_table *t, struct way *way, const char *why, struct route *answer)
{
    *answer = (struct route){
        .way = way, .hops = way->hops, .n = way->n, .may_go_direct = t->may_go_direct, .why = why};
}

bool route_by_rule(struct route_table *t, struct span host, uint16_t port, struct route *answer)
{
    const struct rule *rule = rules_match(&t->rules, host, port);
    if (!rule)
        return false;
    if (rule->way == WAY_BLOCK)
        *answer = (struct route){.why = rule->text};
    else if (rule->way == WAY_DIRECT)
        route_past(t, host, port, rule->text, answer);
    else
        by_way(t, &t->ways[rule->upstream], rule->text, answer);
    return true;
}

void route_first(struct route_table *t, struct route *answer)
{
    by_way(t, &t->ways[0], t->ways[0].reason, answer);
}

bool route_by_result(struct route_table *t, struct span host, uint16_t port, struct span result,
                     struct route *answer, struct span *notes)
{
    struct found_way *found = found_way(&t->found, result);
    struct way *way = &found->way;
    *notes = found->notes;
    by_way(t, way, way->reason, answer);
    if (!found->n_direct)
        return way->n > 0;
    answer->may_go_direct = false; /* where that stands is for the script to say */
    answer->hops = answer_of(t, way->n);
    for (size_t i = 0; i < way->n; i++)
        answer->hops[i] = way->hops[i] ? way->hops[i] : direct_hop(t, NULL, false, host, port);
    return true;
}

bool route_asks_pac(const struct route_table *t)
{
    return t->asks_pac;
}

enum pac_policy route_pac_failure(const struct route_table *t)
{
    return t->pac_failure;
}

void route_find(struct route_table *t, struct span host, uint16_t port, struct route *answer)
{
    if (!route_by_rule(t, host, port, answer))
        route_first(t, answer);
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
    else
        buf_add_str(out, " (no upstream names it: it gets no credentials)");
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

void route_explain_ways(const struct route *r, struct span host, uint16_t port, uint64_t now, struct buf *out)
{
    static const char first[] = "=>", other[] = "   else", left_out[] = "   not at present:";
    const char *rank = first;
    if (r->n == 0)
        buf_add_str(out, "=> blocked\n");
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
    explain_credentials(r, host, port, out);
}

void route_explain_rules(const struct route_table *t, struct span host, uint16_t port, struct buf *out)
{
    const struct rule *rule = rules_match(&t->rules, host, port);
    for (size_t i = 0; i < t->rules.n && &t->rules.rows[i] != rule; i++)
        buf_addf(out, "%s: does not match\n", t->rules.rows[i].text);
    if (rule)
        buf_addf(out, "%s: matches\n", rule->text);
    else
        buf_addf(out, "no rule matches: %s\n", t->asks_pac ? "the PAC script decides" : "the first upstream");
}

void route_explain(struct route_table *t, struct span host, uint16_t port, struct buf *out)
{
    struct route route;
    bool by_rule = route_by_rule(t, host, port, &route);
    route_explain_rules(t, host, port, out);
    if (!by_rule && t->asks_pac) {
        buf_add_str(out, "=> what it says; a running agent asks it (exeat run)\n");
        return;
    }
    if (!by_rule)
        route_first(t, &route);
    route_explain_ways(&route, host, port, 0, out);
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

bool route_table_pac_detour(const struct route_table *t)
{
    return found_detour(&t->found);
}

void route_table_retire(struct route_table *t)
{
    t->retired = t->found.retired = true;
}

void route_table_each(struct route_table *t, void (*visit)(struct hop *h))
{
    struct list *it, *safe;
    for (size_t i = 0; i < t->n_proxies; i++)
        hop_visit(t->proxies[i], visit);
    found_each(&t->found, visit);
    list_each(it, safe, &t->direct) hop_visit(list_entry(it, struct hop, link), visit);
}

void route_table_of(struct route_table *t, struct span upstream, void (*visit)(struct hop *h))
{
    struct list *it, *safe;
    for (size_t i = 0; i < t->n_proxies; i++)
        hop_visit_own(t->proxies[i], upstream, visit);
    found_of(&t->found, upstream, visit);
    list_each(it, safe, &t->direct) hop_visit_own(list_entry(it, struct hop, link), upstream, visit);
}

void route_table_of_user(struct route_table *t, struct span upstream, struct span user,
                         void (*visit)(struct hop *h))
{
    struct list *it, *safe;
    for (size_t i = 0; i < t->n_proxies; i++)
        hop_visit_user(t->proxies[i], upstream, user, visit);
    found_of_user(&t->found, upstream, user, visit);
    list_each(it, safe, &t->direct) hop_visit_user(list_entry(it, struct hop, link), upstream, user, visit);
}
