/*
 * What people are told about ways: exeat route, which makes the decision of a request without making the request; and the PAC script's part of
 * exeat status. A script takes its time, so the answer to the first comes later.
 */
#include <stdlib.h>

#include "agent.h"
#include "route/destination.h"

struct explanation {
    struct list link; /* in agent->explanations */
    struct agent *agent;
    struct control_call *asker;
    struct decision decision;
    struct span host;
    uint16_t port;
    char *url; /* what the decision's spans point into */
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

static json_t *text_of(struct span s)
{
    json_t *value = json_stringn(s.p ? s.p : "", s.n);
    return value ? value : json_string("(not UTF-8)");
}

static void decided(void *owner, const struct route *route)
{
    struct explanation *x = owner;
    route_explain_ways(route, x->host, x->port, loop_now(x->agent->loop), &x->text);
    control_answer(x->asker, json_pack("{s:o}", "text", text_of(buf_span(&x->text))));
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
    if (decide_start(&x->decision, a->pac, a->routes, &about, &now, decided, x))
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
    json_t *pac =
        json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:b}", "asked",
                  text_of(span_str(source.asked)), "found", text_of(span_str(source.found)), "script",
                  text_of(span_str(source.place)), "state", state_of(&script, &source), "failure",
                  text_of(span_str(script.given ? script.why : "")), "error", text_of(span_str(source.error)),
                  "pac_failure", policies[a->config->pac_failure], "age", (json_int_t)source.age, "processes",
                  (json_int_t)script.processes, "kills", (json_int_t)script.kills, "questions",
                  (json_int_t)script.asked, "remembered", (json_int_t)script.remembered, "from_disk",
                  (int)source.from_disk, "direct", (int)route_table_pac_detour(a->routes));
    return pac;
}
