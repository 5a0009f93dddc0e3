/*
 * The switch and the small figures behind "exeat status" and the tray. The number of requests under way is news only when it comes from none or goes to
 * none: more would be told a thousand times a second to nobody's use. An agent that starts is on.
 */
#include "relay/standing.h"

#include <stdlib.h>

#include "base/log.h"
#include "relay/course.h"
#include "relay/exchange.h"
#include "relay/reply.h"
#include "upstream/pool.h"

bool standing_switch(struct relay *r, bool off)
{
    if (r->standing.off == off)
        return false;
    r->standing.off = off;
    if (off)
        route_table_each(r->routes, pool_drop_idle);
    log_info(NULL, !off ? "switched on: requests go their way again"
                   : r->config->when_off == OFF_DIRECT
                       ? "switched off: requests go direct (when-off = direct)"
                       : "switched off: requests are refused (when-off = refuse)");
    news_tell(r->out);
    return true;
}

bool standing_is_off(const struct exchange *e)
{
    return e->relay->standing.off;
}

/* What the configuration blocks stays blocked. */
static bool is_blocked(struct exchange *e)
{
    struct route route;
    return route_by_rule(e->relay->routes, e->target.host, e->target.port, &route) && route.n == 0;
}

bool standing_route(struct exchange *e)
{
    bool refused = e->config->when_off == OFF_REFUSE;
    if (refused || is_blocked(e)) {
        reply_page(e, refused ? PAGE_OFF : PAGE_NOT_ALLOWED, 0,
                   refused ? SPAN("exeat is switched off, and [route] when-off says refuse")
                           : SPAN("the configuration blocks this destination"),
                   refused ? SPAN("exeat on") : SPAN("exeat.conf: [route] rule"));
        return false;
    }
    e->hops = mem_alloc(sizeof(struct hop *));
    struct hop *direct = hop_ref(route_direct(e->relay->routes, e->target.host, e->target.port));
    e->hops[0] = hop_ref(course_last_hop(e, direct));
    e->n_hops = 1;
    hop_unref(direct);
    e->why = mem_strdup("exeat off: direct");
    return true;
}

void standing_began(struct relay *r)
{
    if (r->standing.in_flight++ == 0)
        news_tell(r->out);
}

void standing_ended(struct relay *r)
{
    if (--r->standing.in_flight == 0)
        news_tell(r->out);
}

/* Is it about the way out, and not about what one client asked for? */
static bool concerns_all(enum page_cause cause)
{
    static const unsigned own = 1u << PAGE_BAD_REQUEST | 1u << PAGE_NOT_ALLOWED | 1u << PAGE_LOOP |
                                1u << PAGE_CLIENT_CREDENTIALS | 1u << PAGE_SITE_REFUSED | 1u << PAGE_OFF |
                                1u << PAGE_NO_TOKEN;
    return !(own & 1u << cause);
}

void standing_problem(struct relay *r, enum page_cause cause, struct span why)
{
    struct standing *s = &r->standing;
    if (!concerns_all(cause))
        return;
    bool same = s->problem && span_eq(span_str(s->problem), why);
    s->problem_at = time(NULL);
    if (same)
        return;
    free(s->problem);
    s->problem = span_dup(why);
    news_tell(r->out);
}

void standing_done(struct relay *r)
{
    free(r->standing.problem);
    r->standing.problem = NULL;
}
