/*
 * Detours. A proxy that failed stays out of use in direct mode until a probe (or, before that, another request) has made a connection to it: a request must not
 * wait for a dial that will most likely fail. A SOCKS server must also have let us in: one that accepts connections and no more would be back, and out of use
 * again, all the time.
 */
#include "upstream/detour.h"

#include <stdlib.h>

#include "base/log.h"
#include "upstream/pool.h"
#include "upstream/socks_way.h"

struct probe {
    struct probe *next;
    struct outbound *out;
    struct hop *hop; /* a reference */
    struct lease lease;
    struct socks_way socks; /* instead of it */
};

static void end(struct probe *p)
{
    struct probe **at = &p->out->probes;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    p->hop->probing = false;
    hop_unref(p->hop);
    free(p);
}

static void answers(struct probe *p)
{
    log_info(NULL, "proxy %s answers again", p->hop->name);
    hop_wake(p->hop);
    end(p);
}

static void granted(void *owner, struct upstream *u)
{
    pool_give(u); /* the next request can use it */
    answers(owner);
}

static void let_in(void *owner, struct span early)
{
    struct probe *p = owner;
    (void)early;
    socks_way_cancel(&p->socks);
    answers(p);
}

static void failed(void *owner, const struct unreached *why)
{
    struct probe *p = owner;
    log_debug(NULL, "proxy %s still cannot be reached: %.*s", p->hop->name, SPAN_ARG(why->why));
    end(p);
}

/* What is said about who we are is for the next request to hear. */
static void not_let_in(void *owner, const struct unreached *why)
{
    if (why->final && !why->sleeps)
        answers(owner);
    else
        failed(owner, why);
}

static void probe(struct outbound *out, struct hop *hop)
{
    static const struct lease_events events = {granted, failed};
    static const struct socks_way_events socks_events = {let_in, not_let_in};
    if (hop->probing || hop_asleep(hop, loop_now(out->loop)))
        return;
    struct probe *p = mem_zero(sizeof *p);
    *p = (struct probe){.next = out->probes, .out = out, .hop = hop_ref(hop)};
    out->probes = p;
    hop->probing = true;
    if (hop->socks)
        socks_way_start(&p->socks, out, hop, (struct behalf){0}, SPAN(""), 0, 0, &socks_events, p);
    else
        lease_start(&p->lease, out, hop, (struct behalf){0}, true, &events, p);
}

void detour_stop(struct outbound *out)
{
    while (out->probes) {
        lease_cancel(&out->probes->lease);
        socks_way_cancel(&out->probes->socks);
        end(out->probes);
    }
}

static void tell_mode(const struct outbound *out, struct way *way, bool direct)
{
    if (way->detour == direct)
        return;
    way->detour = direct;
    news_tell(out);
    if (direct)
        log_warning(NULL, "%s: no proxy can be reached (%s); requests go direct until one answers",
                    way->reason, way->hops[0]->asleep_why ? way->hops[0]->asleep_why : "");
    else
        log_info(NULL, "%s: back on the proxy", way->reason);
}

size_t detour_order(struct outbound *out, struct route_table *routes, const struct route *route,
                    struct span host, uint16_t port, struct hop **hops)
{
    uint64_t now = loop_now(out->loop);
    size_t n = 0;
    for (size_t i = 0; i < route->n; i++)
        if (route_prefers(route, route->hops[i], now))
            hops[n++] = route->hops[i];
    if (route->way)
        tell_mode(out, route->way, route->may_go_direct && n == 0);
    for (size_t i = 0; i < route->n; i++) {
        if (route_prefers(route, route->hops[i], now))
            continue;
        if (route->may_go_direct)
            probe(out, route->hops[i]);
        else
            hops[n++] = route->hops[i]; /* better late than never */
    }
    if (route->may_go_direct)
        hops[n++] = route_direct(routes, host, port);
    return n;
}
