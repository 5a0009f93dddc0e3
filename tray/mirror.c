/*
 * Two questions in turn: status, and the one that is answered at the next change; each answer leads to the other question. An agent that says that it stops is
 * left alone until it is back; one that just goes away is started again, more slowly each time.
 */
#include "mirror.h"

#include <stdlib.h>

#include "run.h"

#define RETRY_LEAST_MS 250
#define RETRY_MOST_MS  8000
#define START_TRIES    5

struct mirror {
    struct model *model;
    char *path;
    void (*changed)(void *owner);
    void *owner;
    GCancellable *cancel;
    guint timer;
    unsigned retry_ms;
    unsigned starts; /* since an agent was there */
    bool asking;     /* one of the two questions is under way */
    bool refreshing;
};

static void ask_status(struct mirror *m);

static void later(struct mirror *m, unsigned milliseconds, GSourceFunc run)
{
    if (m->timer)
        g_source_remove(m->timer);
    m->timer = g_timeout_add(milliseconds, run, m);
}

static gboolean time_to_ask(gpointer data)
{
    struct mirror *m = data;
    m->timer = 0;
    ask_status(m);
    return G_SOURCE_REMOVE;
}

/* --- an agent that is not there --- */

static void start_failed(void *owner, const char *why)
{
    struct mirror *m = owner;
    if (m->model->agent == AGENT_HERE)
        return;
    m->starts = START_TRIES; /* it would be the same again */
    model_gone(m->model, AGENT_MISSING, why);
    m->changed(m->owner);
}

void mirror_start_agent(struct mirror *m)
{
    run_agent(m->cancel, start_failed, m);
    m->retry_ms = RETRY_LEAST_MS;
    later(m, m->retry_ms, time_to_ask);
}

/* A better reason may be known already. */
static void give_up(struct mirror *m, const char *text)
{
    char *why = mem_strdup(m->model->why ? m->model->why : text);
    model_gone(m->model, AGENT_MISSING, why);
    free(why);
}

static void is_gone(struct mirror *m, const struct err *e)
{
    m->asking = false;
    bool stopped = e->code == ERR_REFUSED || m->model->agent == AGENT_STOPPED;
    if (stopped)
        model_gone(m->model, AGENT_STOPPED, NULL);
    else if (e->code == ERR_PROTOCOL)
        model_gone(m->model, AGENT_MISSING, e->text);
    else if (m->starts >= START_TRIES)
        give_up(m, e->text);
    else if (m->model->agent == AGENT_HERE)
        model_gone(m->model, AGENT_STARTING, NULL);
    m->changed(m->owner);
    if (!stopped && e->code == ERR_GONE && m->starts < START_TRIES) {
        m->starts++;
        run_agent(m->cancel, start_failed, m);
    }
    later(m, m->retry_ms, time_to_ask);
    m->retry_ms = m->retry_ms * 2 > RETRY_MOST_MS ? RETRY_MOST_MS : m->retry_ms * 2;
}

/* --- one that is --- */

static void state_changed(void *owner, json_t *answer, const struct err *e)
{
    struct mirror *m = owner;
    m->asking = false;
    if (!answer)
        is_gone(m, e);
    else
        ask_status(m);
}

static void have_status(void *owner, json_t *answer, const struct err *e)
{
    struct mirror *m = owner;
    if (!answer || json_is_true(json_object_get(answer, "stopping"))) {
        static const struct err stopping = {.code = ERR_REFUSED};
        is_gone(m, answer ? &stopping : e);
        return;
    }
    m->retry_ms = RETRY_LEAST_MS;
    m->starts = 0;
    model_take(m->model, answer);
    m->changed(m->owner);
    json_t *question =
        json_pack("{s:s, s:I, s:i}", "verb", "state", "since", m->model->state, "pause", MIRROR_PAUSE_MS);
    link_ask(m->path, question, LINK_FOREVER, m->cancel, state_changed, m);
    json_decref(question);
}

static void ask(struct mirror *m, link_answered answered)
{
    json_t *question = json_pack("{s:s}", "verb", "status");
    link_ask(m->path, question, LINK_PATIENCE_S, m->cancel, answered, m);
    json_decref(question);
}

static void ask_status(struct mirror *m)
{
    if (m->asking)
        return;
    m->asking = true;
    ask(m, have_status);
}

static void refreshed(void *owner, json_t *answer, const struct err *e)
{
    struct mirror *m = owner;
    (void)e; /* who waits for the next change hears of it too */
    m->refreshing = false;
    if (!answer || m->model->agent != AGENT_HERE)
        return;
    json_int_t state = m->model->state;
    model_take(m->model, answer);
    m->model->state = state;
    m->changed(m->owner);
}

void mirror_refresh(struct mirror *m)
{
    if (m->refreshing || m->model->agent != AGENT_HERE)
        return;
    m->refreshing = true;
    ask(m, refreshed);
}

static void switched(void *owner, json_t *answer, const struct err *e)
{
    struct mirror *m = owner;
    (void)answer;
    (void)e;
    mirror_refresh(m);
}

void mirror_switch(struct mirror *m, bool on)
{
    json_t *question = json_pack("{s:s, s:b}", "verb", "proxy", "on", (int)on);
    link_ask(m->path, question, LINK_PATIENCE_S, m->cancel, switched, m);
    json_decref(question);
}

struct mirror *mirror_start(struct model *model, const char *path, void (*changed)(void *owner), void *owner)
{
    struct mirror *m = mem_zero(sizeof *m);
    *m = (struct mirror){.model = model,
                         .path = mem_strdup(path),
                         .changed = changed,
                         .owner = owner,
                         .cancel = g_cancellable_new(),
                         .retry_ms = RETRY_LEAST_MS};
    ask_status(m);
    return m;
}

void mirror_free(struct mirror *m)
{
    g_cancellable_cancel(m->cancel);
    g_object_unref(m->cancel);
    if (m->timer)
        g_source_remove(m->timer);
    free(m->path);
    free(m);
}
