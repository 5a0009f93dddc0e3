/*
 * The verbs state and proxy. A change only raises the number; those who wait are answered in a later round of the loop, once for all changes of this one, and
 * not before the pause is over that they named: however fast changes come, nobody is sent more than they ask for. Whoever waited and has gone is noticed at the next answer; so
 * that such do not fill the control socket's places, only some may wait, and one more sends the oldest away with the number as it is.
 */
#include "state.h"

#include <stdlib.h>

#include "agent.h"

#define WAITERS_MOST  8
#define PAUSE_MOST_MS 10000

struct waiter {
    struct list link;
    struct agent *agent;
    struct control_call *call;
    uint64_t since;
    struct deadline pause; /* running: no answer before its end */
};

static json_t *answer_of(const struct agent *a)
{
    return json_pack("{s:I}", "state", (json_int_t)a->state.number);
}

static struct control_call *take(struct waiter *w)
{
    struct control_call *call = w->call;
    deadline_stop(&w->pause);
    list_remove(&w->link);
    w->agent->state.n_waiters--;
    free(w);
    return call;
}

static struct waiter *oldest(struct agent *a)
{
    return list_entry(a->state.waiters.next, struct waiter, link);
}

static struct waiter *first_due(struct agent *a)
{
    struct list *it, *safe;
    list_each(it, safe, &a->state.waiters)
    {
        struct waiter *w = list_entry(it, struct waiter, link);
        if (w->since != a->state.number && !w->pause.timer)
            return w;
    }
    return NULL;
}

/* From the beginning each time: an answered one may ask again at once, further down the stack, and send another away. */
static void tell(void *owner)
{
    struct agent *a = owner;
    struct waiter *w;
    while ((w = first_due(a)) != NULL)
        control_answer(take(w), answer_of(a));
}

static void pause_over(void *owner)
{
    struct waiter *w = owner;
    deadline_stop(&w->pause);
    tell(w->agent);
}

static void told(void *owner)
{
    agent_state_changed(owner);
}

void agent_state_start(struct agent *a)
{
    a->state.number = 1;
    list_init(&a->state.waiters);
    a->out.news = (struct news){told, a};
}

void agent_state_changed(struct agent *a)
{
    a->state.number++;
    if (a->state.n_waiters && !a->state.tell.link)
        later_start(a->loop, &a->state.tell, tell, a);
}

void agent_state_describe(const struct agent *a, json_t *answer)
{
    const struct standing *s = &a->relay.standing;
    json_object_set_new(answer, "on", json_boolean(!s->off));
    json_object_set_new(answer, "when_off",
                        json_string(a->config->when_off == OFF_DIRECT ? "direct" : "refuse"));
    json_object_set_new(answer, "stopping", json_boolean(a->drain.going));
    json_object_set_new(answer, "in_flight", json_integer((json_int_t)s->in_flight));
    if (!s->problem)
        return;
    json_t *text = json_string(s->problem);
    json_object_set_new(answer, "last_problem", text ? text : json_string("(not UTF-8)"));
    json_object_set_new(answer, "last_problem_at", json_integer((json_int_t)s->problem_at));
}

void agent_state_stop(struct agent *a)
{
    if (!a->out.news.told)
        return;
    a->out.news = (struct news){0};
    later_cancel(&a->state.tell);
    while (a->state.n_waiters)
        control_refuse(take(oldest(a)), "the agent is stopping", "");
}

void agent_state_verb(void *owner, struct control_call *call, json_t *question)
{
    struct agent *a = owner;
    json_t *since = json_object_get(question, "since");
    json_int_t pause = json_integer_value(json_object_get(question, "pause"));
    if (!a->out.news.told) {
        control_refuse(call, "the agent is stopping", "");
        return;
    }
    if (!json_is_integer(since) || (pause <= 0 && json_integer_value(since) != (json_int_t)a->state.number)) {
        control_answer(call, answer_of(a));
        return;
    }
    if (a->state.n_waiters == WAITERS_MOST)
        control_answer(take(oldest(a)), answer_of(a));
    struct waiter *w = mem_zero(sizeof *w);
    w->agent = a;
    w->call = call;
    w->since = (uint64_t)json_integer_value(since);
    if (pause > 0)
        deadline_start(a->loop, &w->pause, pause < PAUSE_MOST_MS ? (uint64_t)pause : PAUSE_MOST_MS,
                       pause_over, w);
    list_push_back(&a->state.waiters, &w->link);
    a->state.n_waiters++;
}

void agent_proxy_verb(void *owner, struct control_call *call, json_t *question)
{
    struct agent *a = owner;
    json_t *on = json_object_get(question, "on");
    if (on && !json_is_boolean(on)) {
        control_refuse(call, "\"on\" is neither true nor false", "");
        return;
    }
    bool changed = on && standing_switch(&a->relay, json_is_false(on));
    json_t *answer = json_pack("{s:b}", "changed", (int)changed);
    agent_state_describe(a, answer);
    control_answer(call, answer);
}
