/*
 * The source says what there is, the client runs it; queries wait for either. A query looks at what there is when it runs, not when it came: a
 * script that is replaced meanwhile, or taken away, is not asked any more.
 */
#include "route/pac.h"

#include <stdlib.h>

#include "base/log.h"
#include "route/manual.h"

#define LIFETIME_MS                                                                                          \
    300000u /* of an answer: what a script looks at besides the URL (time, names) changes slowly */

struct pac {
    struct loop *loop;
    struct pac_ground *ground;
    struct resolver *resolver;
    struct pac_client *client;
    struct pac_source *source; /* NULL: the configuration wants none */
    enum pac_source_has has;
    struct manual *manual;
    struct buf why; /* of PAC_SOURCE_NONE and PAC_SOURCE_NOTHING */
    bool goes_back; /* the script was no good, and the one before it comes again */
    struct list waiting;
    struct list running; /* queries that wait for nothing but their turn, or for the script */
};

/* --- queries --- */

static void step(void *owner);

static void tell(struct pac_query *q, const struct pac_said *said)
{
    q->active = false;
    list_remove(&q->link);
    q->done(q->owner, said);
}

static void answered(void *owner, const struct pac_answer *answer)
{
    struct pac_query *q = owner;
    struct pac_state state;
    if (answer->failure == PAC_NO_SCRIPT) { /* it was taken away meanwhile */
        q->settled = false;
        step(q);
        return;
    }
    if (answer->failure != PAC_FINE && q->pac->goes_back) {
        list_remove(&q->link);
        list_push_back(&q->pac->waiting, &q->link);
        return;
    }
    pac_client_state(q->pac->client, &state);
    bool fine = answer->failure == PAC_FINE;
    tell(q, &(struct pac_said){.what = fine ? PAC_SAYS_RESULT : PAC_SAYS_FAILURE,
                               .result = fine ? answer->result : answer->last_good,
                               .why = answer->why,
                               .from = state.name,
                               .remembered = answer->remembered});
}

static void tell_settings(struct pac_query *q)
{
    const struct manual *m = q->pac->manual;
    struct buf result = {0};
    manual_result(m, q->request.scheme, q->request.host, q->request.port, &result);
    tell(q, &(struct pac_said){.what = PAC_SAYS_RESULT, .result = buf_span(&result), .from = manual_from(m)});
    buf_free(&result);
}

/* By what there is now. */
static void step(void *owner)
{
    struct pac_query *q = owner;
    struct pac *p = q->pac;
    if (!p->source) {
        tell(q, &(struct pac_said){
                    .what = PAC_SAYS_NONE, .why = SPAN("the configuration names none any more"), .from = ""});
        return;
    }
    list_remove(&q->link);
    if (!q->settled && !pac_source_want(p->source)) {
        list_push_back(&p->waiting, &q->link);
        return;
    }
    list_push_back(&p->running, &q->link);
    switch (p->has) {
    case PAC_SOURCE_SCRIPT:
        pac_call_start(p->client, &q->call, &q->request, answered, q);
        break;
    case PAC_SOURCE_MANUAL:
        tell_settings(q);
        break;
    case PAC_SOURCE_NONE:
        tell(q, &(struct pac_said){.what = PAC_SAYS_NONE, .why = buf_span(&p->why), .from = ""});
        break;
    case PAC_SOURCE_NOTHING:
        tell(q, &(struct pac_said){.what = PAC_SAYS_FAILURE, .why = buf_span(&p->why), .from = ""});
        break;
    }
}

void pac_query_start(struct pac *p, struct pac_query *q, const struct pac_request *request, pac_said_fn done,
                     void *owner)
{
    *q = (struct pac_query){.pac = p, .request = *request, .done = done, .owner = owner, .active = true};
    list_init(&q->link);
    list_push_back(&p->running, &q->link);
    later_start(p->loop, &q->step, step, q);
}

void pac_query_cancel(struct pac_query *q)
{
    if (!q->active)
        return;
    q->active = false;
    list_remove(&q->link);
    later_cancel(&q->step);
    pac_call_cancel(&q->call);
}

/* --- the source's news --- */

static void settled(void *owner)
{
    struct pac *p = owner;
    while (!list_empty(&p->waiting)) {
        struct pac_query *q = list_entry(p->waiting.next, struct pac_query, link);
        list_remove(&q->link);
        list_push_back(&p->running, &q->link);
        q->settled = true;
        later_start(p->loop, &q->step, step, q);
    }
}

static void set_why(struct pac *p, struct span why)
{
    buf_clear(&p->why);
    buf_add_span(&p->why, why);
}

/* What was told before does not hold any more. */
static void let_go(struct pac *p, enum pac_source_has has, struct span why)
{
    manual_free(p->manual);
    p->manual = NULL;
    p->has = has;
    set_why(p, why);
    pac_client_unload(p->client);
    if (p->goes_back)
        settled(p);
    p->goes_back = false;
}

static void script(void *owner, struct span name, struct span bytes, const char *charset)
{
    struct pac *p = owner;
    struct err e;
    (void)charset; /* the script's own bytes say more: servers know little of what they hand out */
    if (!pac_client_load(p->client, name, bytes, &e)) {
        log_warning(NULL, "%s", e.text);
        p->goes_back = pac_source_judge(p->source, false, span_str(e.text));
        return;
    }
    manual_free(p->manual);
    p->manual = NULL;
    p->has = PAC_SOURCE_SCRIPT;
    if (p->goes_back)
        settled(p);
    p->goes_back = false;
}

static void none(void *owner, struct span why)
{
    let_go(owner, PAC_SOURCE_NONE, why);
}

static void manual(void *owner, const struct pac_manual *m)
{
    struct pac *p = owner;
    let_go(p, PAC_SOURCE_MANUAL, SPAN(""));
    p->manual = manual_new(m);
}

static void failed(void *owner, struct span why)
{
    struct pac *p = owner;
    if (p->has == PAC_SOURCE_NOTHING)
        set_why(p, why);
}

static void loaded(void *owner, bool good, struct span why)
{
    struct pac *p = owner;
    if (p->source)
        p->goes_back = pac_source_judge(p->source, good, why);
}

/* --- up and down --- */

static void open_source(struct pac *p, struct config *c)
{
    static const struct pac_source_events events = {script, none, manual, failed, settled};
    let_go(p, PAC_SOURCE_NOTHING, SPAN("it is not known yet"));
    p->source = pac_source_new(p->ground, c, &events, p);
}

struct pac *pac_new(struct loop *loop, struct pac_ground *ground, struct starter *starter, struct config *c)
{
    static const struct pac_client_events events = {loaded};
    struct pac *p = mem_zero(sizeof *p);
    p->loop = loop;
    p->ground = ground;
    list_init(&p->waiting);
    list_init(&p->running);
    p->resolver = resolver_new(loop);
    p->client = pac_client_new(loop, starter, p->resolver, LIFETIME_MS, &events, p);
    open_source(p, c);
    return p;
}

void pac_free(struct pac *p)
{
    if (!p)
        return;
    pac_source_free(p->source);
    pac_client_free(p->client);
    resolver_free(p->resolver);
    manual_free(p->manual);
    buf_free(&p->why);
    free(p);
}

void pac_adopt(struct pac *p, struct config *c)
{
    if (p->source && pac_source_adopt(p->source, c))
        return;
    pac_source_free(p->source);
    open_source(p, c);
    settled(p); /* who waited for the old one looks anew */
    struct list *it, *safe;
    list_each(it, safe, &p->running) list_entry(it, struct pac_query, link)->settled = false;
}

void pac_network_changed(struct pac *p)
{
    pac_client_forget(p->client);
    if (p->source)
        pac_source_network_changed(p->source);
}

bool pac_state(const struct pac *p, struct pac_state *script, struct pac_source_state *source)
{
    if (!p->source)
        return false;
    pac_client_state(p->client, script);
    pac_source_state(p->source, source);
    return true;
}
