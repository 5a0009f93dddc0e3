/*
 * Two questions in turn: status, and the one that is answered at the next change; each answer leads to the other question. An agent that stops says so where it
 * is asked, and takes its socket away before it closes it: so one that goes between two questions is told apart from one that was killed, whose
 * socket still lies there. The first is left alone until it is back, the second is started again, more slowly each time. Who waits for one
 * looks less and less often, and then only when the socket's folder changes.
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
    GFileMonitor *folder;
    guint timer;
    unsigned retry_ms;
    unsigned starts; /* since an agent was there */
    bool asking;     /* one of the two questions is under way */
    bool refreshing;
    bool starting; /* what we have started is not over yet */
    bool came;     /* there has been an answer since */
    bool declined; /* it does not let us wait for changes */
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

static void start_over(void *owner, const char *why)
{
    struct mirror *m = owner;
    m->starting = false;
    if (!why || m->came || m->model->agent == AGENT_HERE)
        return;
    m->starts = START_TRIES; /* it would be the same again */
    model_gone(m->model, AGENT_MISSING, why);
    m->changed(m->owner);
}

static void start(struct mirror *m)
{
    m->starts++;
    m->came = false;
    m->starting = true;
    run_agent(m->cancel, start_over, m);
}

void mirror_start_agent(struct mirror *m)
{
    m->starts = 0;
    if (m->model->agent != AGENT_HERE)
        model_gone(m->model, AGENT_STARTING, NULL);
    if (!m->starting)
        start(m);
    m->changed(m->owner);
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

/* Whoever is killed cannot do that. */
static bool took_its_socket_away(const struct mirror *m)
{
    return !g_file_test(m->path, G_FILE_TEST_EXISTS);
}

/* `nobody`: there is no socket, or nobody behind it. Somebody who does not answer may find his tongue again. */
static void look_again(struct mirror *m, bool nobody)
{
    bool folder_tells = nobody && m->folder && m->model->agent != AGENT_STARTING;
    if (!folder_tells || m->retry_ms < RETRY_MOST_MS)
        later(m, m->retry_ms, time_to_ask);
    m->retry_ms = m->retry_ms * 2 > RETRY_MOST_MS ? RETRY_MOST_MS : m->retry_ms * 2;
}

static void is_gone(struct mirror *m, const struct err *e)
{
    enum model_agent was = m->model->agent;
    m->asking = false;
    if (was == AGENT_STOPPED || (was == AGENT_HERE && e->code == ERR_GONE && took_its_socket_away(m)))
        model_gone(m->model, AGENT_STOPPED, NULL);
    else if (e->code != ERR_GONE)
        model_gone(m->model, AGENT_MISSING, e->text);
    else if (m->starts >= START_TRIES && !m->starting)
        give_up(m, "exeat does not start: Diagnose says why");
    else
        model_gone(m->model, AGENT_STARTING, NULL);
    m->changed(m->owner);
    if (m->model->agent == AGENT_STARTING && !m->starting)
        start(m);
    look_again(m, e->code == ERR_GONE);
}

static void is_stopping(struct mirror *m)
{
    m->asking = false;
    model_gone(m->model, AGENT_STOPPED, NULL);
    m->changed(m->owner);
    look_again(m, true);
}

static void folder_changed(GFileMonitor *folder, GFile *file, GFile *other, GFileMonitorEvent event,
                           gpointer data)
{
    struct mirror *m = data;
    char *path = g_file_get_path(file);
    (void)folder, (void)other;
    if (event == G_FILE_MONITOR_EVENT_CREATED && m->model->agent != AGENT_HERE &&
        g_strcmp0(path, m->path) == 0) {
        m->retry_ms = RETRY_LEAST_MS; /* it may not listen yet */
        later(m, 0, time_to_ask);
    }
    g_free(path);
}

static void watch_folder(struct mirror *m)
{
    char *name = g_path_get_dirname(m->path);
    GFile *folder = g_file_new_for_path(name);
    m->folder = g_file_monitor_directory(folder, G_FILE_MONITOR_NONE, NULL, NULL);
    if (m->folder)
        g_signal_connect(m->folder, "changed", G_CALLBACK(folder_changed), m);
    g_object_unref(folder);
    g_free(name);
}

/* --- one that is --- */

static void state_changed(void *owner, json_t *answer, const struct err *e)
{
    struct mirror *m = owner;
    m->asking = false;
    if (!answer && e->code != ERR_REFUSED) {
        is_gone(m, e);
        return;
    }
    m->declined = !answer; /* its status says whether that is because it stops */
    ask_status(m);
}

static void wait_for_change(struct mirror *m)
{
    json_t *question =
        json_pack("{s:s, s:I, s:i}", "verb", "state", "since", m->model->state, "pause", MIRROR_PAUSE_MS);
    link_ask(m->path, question, LINK_FOREVER, m->cancel, state_changed, m);
    json_decref(question);
}

static void have_status(void *owner, json_t *answer, const struct err *e)
{
    struct mirror *m = owner;
    if (!answer && e->code == ERR_REFUSED && m->model->agent == AGENT_HERE) {
        m->asking = false;
        later(m, RETRY_MOST_MS, time_to_ask); /* too many others are asking, say: it is still there */
        return;
    }
    if (!answer) {
        is_gone(m, e);
        return;
    }
    if (json_is_true(json_object_get(answer, "stopping"))) {
        is_stopping(m);
        return;
    }
    m->retry_ms = RETRY_LEAST_MS;
    m->starts = 0;
    m->came = true;
    model_take(m->model, answer);
    m->changed(m->owner);
    if (!m->declined) {
        wait_for_change(m);
        return;
    }
    m->declined = m->asking = false;
    later(m, RETRY_MOST_MS, time_to_ask);
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
    watch_folder(m);
    ask_status(m);
    return m;
}

void mirror_free(struct mirror *m)
{
    g_cancellable_cancel(m->cancel);
    g_object_unref(m->cancel);
    if (m->timer)
        g_source_remove(m->timer);
    if (m->folder) {
        g_signal_handlers_disconnect_by_data(m->folder, m);
        g_object_unref(m->folder);
    }
    free(m->path);
    free(m);
}
