/*
 * What people are told about ways: exeat route, which makes the decision of a request without making the request; and the PAC script's part of
 * exeat status. A script takes its time, so the answer to the first comes later.
 */
#include <stdlib.h>

#include "agent.h"
#include "base/escape.h"
#include "route/destination.h"

struct explanation {
    struct list link; /* in agent->explanations */
    struct agent *agent;
    struct control_call *asker;
    struct decision decision;
    struct span host;
    uint16_t port;
    bool by_script; /* the PAC script was asked */
    char *url;      /* what the decision's spans point into */
    struct buf text;
};

static void release(struct explanation *x)
{
    list_remove(&x->link);
    decide_cancel(&x->decision);
    buf_free(&x->text);
    free(x->url);
    free(x);
}

/* What is not UTF-8 loses its foreign bytes. */
static json_t *text_of(struct span s)
{
    struct buf clean = {0};
    while (s.n) {
        size_t n = escape_utf8(s);
        buf_add(&clean, n ? s.p : "?", n ? n : 1);
        s = span_from(s, n ? n : 1);
    }
    json_t *value = json_stringn(clean.n ? clean.p : "", clean.n);
    buf_free(&clean);
    return value;
}

/* A hop as a PAC script would name it. */
static void add_entry(const struct hop *h, struct buf *way)
{
    buf_add_str(way, way->n ? "; " : "");
    if (hop_is_direct(h))
        buf_add_str(way, "DIRECT");
    else
        buf_addf(way, strchr(h->host, ':') ? "%s [%s]:%u" : "%s %s:%u",
                 h->socks ? "SOCKS5"
                 : h->tls ? "HTTPS"
                          : "PROXY",
                 h->host, h->port);
}

/* The order in which they are tried. */
static void add_entries(const struct route *route, uint64_t now, struct buf *way)
{
    for (size_t i = 0; i < route->n; i++)
        if (route_prefers(route, route->hops[i], now))
            add_entry(route->hops[i], way);
    if (route->may_go_direct)
        buf_add_str(way, way->n ? "; DIRECT" : "DIRECT");
    for (size_t i = 0; i < route->n && !route->may_go_direct; i++)
        if (!route_prefers(route, route->hops[i], now))
            add_entry(route->hops[i], way);
}

static void decided(void *owner, const struct route *route)
{
    struct explanation *x = owner;
    struct buf way = {0};
    uint64_t now = loop_now(x->agent->loop);
    route_explain_ways(route, x->host, x->port, now, &x->text);
    add_entries(route, now, &way);
    control_answer(x->asker, json_pack("{s:o, s:b, s:o, s:o, s:o}", "text", text_of(buf_span(&x->text)),
                                       "by_script", (int)x->by_script, "way", text_of(buf_span(&way)), "why",
                                       text_of(span_str(route->why)), "failure", text_of(route->failure)));
    buf_free(&way);
    release(x);
}

void agent_explain_route(void *owner, struct control_call *call, json_t *question)
{
    struct agent *a = owner;
    struct err e = {0};
    struct route now;
    const char *url = json_string_value(json_object_get(question, "url"));
    struct explanation *x = mem_zero(sizeof *x);
    *x = (struct explanation){.agent = a, .asker = call, .url = mem_strdup(url ? url : "")};
    list_push_back(&a->explanations, &x->link);
    struct span text = span_str(x->url);
    if (!destination_read(text, &x->host, &x->port, &e)) {
        control_refuse(call, e.text, "");
        release(x);
        return;
    }
    struct decision_about about = {.scheme = destination_scheme(text, x->port),
                                   .host = x->host,
                                   .port = x->port,
                                   .url = span_istarts(text, SPAN("http://")) ? text : SPAN(""),
                                   .say = &x->text};
    x->by_script = !decide_start(&x->decision, a->pac, a->routes, &about, &now, decided, x);
    if (!x->by_script)
        decided(x, &now);
}

void agent_drop_explanations(struct agent *a)
{
    while (!list_empty(&a->explanations)) {
        struct explanation *x = list_entry(a->explanations.next, struct explanation, link);
        control_refuse(x->asker, "the agent is stopping", "");
        release(x);
    }
}

/* --- status --- */

/* Its state in a word or two, the first row that fits. */
static const char *state_of(const struct pac_state *script, const struct pac_source_state *source)
{
    return source->has == PAC_SOURCE_MANUAL                      ? "the settings name proxies"
           : source->has == PAC_SOURCE_NONE                      ? "there is none here"
           : source->has == PAC_SOURCE_NOTHING && source->busy   ? "being looked for"
           : source->has == PAC_SOURCE_NOTHING && *source->error ? "cannot be had"
           : source->has == PAC_SOURCE_NOTHING                   ? "not asked yet"
           : !script->usable                                     ? "cannot be used"
           : *script->why                                        ? "fails"
                                                                 : "good";
}

json_t *agent_pac_status(const struct agent *a)
{
    static const char *const policies[] = {"last-good", "block", "direct"};
    struct pac_state script;
    struct pac_source_state source;
    if (!a->pac || !pac_state(a->pac, &script, &source))
        return NULL;
    json_t *pac = json_pack(
        "{s:o, s:o, s:o, s:s, s:o, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b}", "asked",
        text_of(span_str(source.asked)), "found", text_of(span_str(source.found)), "script",
        text_of(span_str(source.place)), "state", state_of(&script, &source), "failure",
        text_of(span_str(script.given ? script.why : "")), "error", text_of(span_str(source.error)),
        "pac_failure", policies[a->config->pac_failure], "age", (json_int_t)source.age, "size",
        (json_int_t)source.size, "processes", (json_int_t)script.processes, "kills", (json_int_t)script.kills,
        "questions", (json_int_t)script.asked, "remembered", (json_int_t)script.remembered, "from_disk",
        (int)source.from_disk, "direct", (int)route_table_pac_detour(a->routes));
    return pac;
}
