/*
 * Ways of exchanges. While a script is asked, the exchange stays in EXCHANGE_ROUTE: its client's bytes wait, its end cancels the question.
 */
#include "relay/course.h"

#include <stdlib.h>

#include "relay/reply.h"
#include "upstream/detour.h"

struct hop *course_last_hop(const struct exchange *e, struct hop *hop)
{
    if (client_is_beyond(e->client) && hop_is_direct(hop))
        return route_outside(e->relay->routes, hop);
    return route_beyond(e->relay->routes, hop, e->target.host, e->target.port, e->connect);
}

/* References to keep; where requests go to the destination behind a hop, that one takes its place. */
static void keep_hops(struct exchange *e, const struct route *route)
{
    struct route_table *routes = e->relay->routes;
    e->hops = mem_alloc((route->n + 1) * sizeof(struct hop *));
    e->n_hops = detour_order(e->relay->out, routes, route, e->target.host, e->target.port, e->hops);
    for (size_t i = 0; i < e->n_hops; i++)
        hop_ref(e->hops[i]);
    for (size_t i = 0; i < e->n_hops; i++) {
        struct hop *last = hop_ref(course_last_hop(e, e->hops[i]));
        hop_unref(e->hops[i]);
        e->hops[i] = last;
    }
}

static void refuse(struct exchange *e, const struct route *route)
{
    struct buf why = {0};
    if (route->failure.n) {
        e->internal = true;
        buf_addf(&why, "the PAC script, which decides where this goes, failed: %.*s",
                 SPAN_ARG(route->failure));
        reply_page(e, PAGE_NO_WAY, 0, buf_span(&why),
                   SPAN("exeat route shows what it was asked; exeat.conf: [route] pac-failure = last-good or "
                        "direct would go on without it"));
    } else {
        buf_addf(&why, "the configuration blocks this destination (%s)", route->why);
        reply_page(e, PAGE_NOT_ALLOWED, 0, buf_span(&why), SPAN("exeat.conf: [route] rule"));
    }
    buf_free(&why);
}

/* false: it was answered. */
static bool take(struct exchange *e, const struct route *route)
{
    struct buf why = {0};
    keep_hops(e, route);
    buf_addf(&why, "%s%s", route->why,
             route->way && route->way->detour ? ", which cannot be reached: direct" : "");
    e->why = span_dup(buf_span(&why));
    buf_free(&why);
    if (e->n_hops == 0)
        refuse(e, route);
    return e->n_hops > 0;
}

static void decided(void *owner, const struct route *route)
{
    struct exchange *e = owner;
    if (take(e, route))
        exchange_again(e);
    client_feed(e->client); /* what it sent meanwhile, and perhaps its end */
}

void course_start(struct exchange *e)
{
    struct route now;
    struct decision_about about = {.scheme = e->connect ? SPAN("https") : e->target.scheme,
                                   .host = e->target.host,
                                   .port = e->target.port,
                                   .url = e->connect ? SPAN("") : e->head.target};
    if (decide_start(&e->decision, e->relay->pac, e->relay->routes, &about, &now, decided, e) &&
        take(e, &now))
        exchange_again(e);
}

/* --- proxies that only a script names --- */

bool course_asks_in_vain(struct exchange *e)
{
    const struct hop *hop = e->hops[e->at];
    if (!hop->found || e->status != 407)
        return false;
    struct buf why = {0}, remedy = {0};
    e->relay->out->counters.challenges++;
    buf_addf(&why,
             "the proxy %s, which the PAC script names, asks who you are, and no upstream of the "
             "configuration names it: it gets no credentials",
             hop->name);
    buf_addf(&remedy,
             "if it belongs to your organisation, write hosts = %s into the [upstream] whose identity it may "
             "meet, or add it to proxy =",
             hop->name);
    reply_page(e, PAGE_NO_CREDENTIALS, 0, buf_span(&why), buf_span(&remedy));
    buf_free(&why);
    buf_free(&remedy);
    return true;
}
