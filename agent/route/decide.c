/*
 * Rules, script, first upstream; and what happens when the script fails. The same steps tell people about themselves (exeat route).
 */
#include "route/decide.h"

#include "base/escape.h"
#include "helpers/pac_shown.h"

#define SHOWN_BYTES 2000 /* of an answer */

#define say(d, ...) ((d)->say ? (void)buf_addf((d)->say, __VA_ARGS__) : (void)0)

static void end(struct decision *d, const struct route *answer)
{
    struct route_table *routes = d->routes;
    d->routes = NULL;
    d->done(d->owner, answer);
    route_table_unref(routes);
}

/* --- a script that failed --- */

/* false: nothing that it said is known, or can be used. */
static bool by_last_good(struct decision *d, const struct pac_said *said, struct route *answer)
{
    struct span notes;
    const struct pac_request *r = &d->query.request;
    if (!said->result.p || !route_by_result(d->routes, r->host, r->port, said->result, answer, &notes)) {
        say(d,
            "pac-failure = last-good: nothing is known that it said about this before: the first upstream\n");
        return false;
    }
    say(d, "pac-failure = last-good: the last time it said: %.*s\n", SPAN_ARG(said->result));
    return true;
}

static void by_policy(struct decision *d, const struct pac_said *said, struct span failure)
{
    const struct pac_request *r = &d->query.request;
    struct route answer = {.why = "pac-failure = block"};
    struct buf why = {0};
    say(d, "it failed: %.*s\n", SPAN_ARG(failure));
    switch (route_pac_failure(d->routes)) {
    case PAC_FAILURE_BLOCK:
        say(d, "pac-failure = block\n");
        break;
    case PAC_FAILURE_DIRECT:
        say(d, "pac-failure = direct\n");
        route_past(d->routes, r->host, r->port, "pac-failure = direct", &answer);
        break;
    case PAC_FAILURE_LAST_GOOD:
        if (!by_last_good(d, said, &answer))
            route_first(d->routes, &answer);
        buf_addf(&why, "the PAC script failed, so %s", answer.why);
        answer.why = buf_cstr(&why);
        break;
    }
    answer.failure = failure;
    end(d, &answer);
    buf_free(&why);
}

/* --- what it said --- */

static void by_result(struct decision *d, const struct pac_said *said)
{
    const struct pac_request *r = &d->query.request;
    struct route answer;
    struct span notes;
    struct buf why = {0};
    struct span shown = escape_head(said->result, SHOWN_BYTES);
    say(d, "%s: %.*s%s\n", said->remembered ? "its answer, which is remembered" : "its answer",
        SPAN_ARG(shown), shown.n < said->result.n ? "..." : "");
    bool usable = route_by_result(d->routes, r->host, r->port, said->result, &answer, &notes);
    say(d, "%.*s", SPAN_ARG(notes));
    if (usable) {
        end(d, &answer);
        return;
    }
    buf_addf(&why, "nothing can be used of what %s said: %.*s", *said->from ? said->from : "the PAC script",
             SPAN_ARG(span_head(notes, span_find(notes, '\n'))));
    struct pac_said nothing = {.what = PAC_SAYS_FAILURE, .from = said->from};
    by_policy(d, &nothing, buf_span(&why));
    buf_free(&why);
}

static void said(void *owner, const struct pac_said *said)
{
    struct decision *d = owner;
    const struct pac_request *r = &d->query.request;
    struct buf shown = {0};
    struct route answer;
    if (said->what == PAC_SAYS_NONE) {
        say(d, "there is no PAC script here: %.*s: the first upstream\n", SPAN_ARG(said->why));
        route_first(d->routes, &answer);
        end(d, &answer);
        return;
    }
    if (*said->from) {
        pac_shown_url(&shown, r->scheme, r->host, r->port, r->url);
        say(d, "%s %s asked about %.*s\n", said->from,
            span_ends(span_str(said->from), SPAN("settings")) ? "were" : "was", SPAN_ARG(buf_span(&shown)));
        buf_free(&shown);
    }
    if (said->what == PAC_SAYS_FAILURE)
        by_policy(d, said, said->why);
    else
        by_result(d, said);
}

/* --- the beginning --- */

bool decide_start(struct decision *d, struct pac *pac, struct route_table *routes,
                  const struct decision_about *about, struct route *now, decided_fn done, void *owner)
{
    *d = (struct decision){.say = about->say, .done = done, .owner = owner};
    if (d->say)
        route_explain_rules(routes, about->host, about->port, d->say);
    if (route_by_rule(routes, about->host, about->port, now))
        return true;
    if (!route_asks_pac(routes) || !pac) {
        route_first(routes, now);
        return true;
    }
    struct pac_request request = {
        .scheme = about->scheme, .host = about->host, .port = about->port, .url = about->url};
    d->routes = route_table_ref(routes);
    pac_query_start(pac, &d->query, &request, said, d);
    return false;
}

void decide_cancel(struct decision *d)
{
    pac_query_cancel(&d->query);
    route_table_unref(d->routes);
    d->routes = NULL;
}
