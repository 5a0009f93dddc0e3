/*
 * Everything is started without a shell line of ours and without input; what a verb says is read to its end, up to a ceiling that no verb reaches.
 */
#include "run.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "helpers/program.h"

static char *exeat_path(void)
{
    char path[PATH_MAX];
    return program_find("exeat", path, sizeof path) ? g_strdup(path) : g_find_program_in_path("exeat");
}

/* A program (NULL: exeat) and its words; NULL: there is none. The caller frees. */
static char **command_of(const char *program, const char *const words[])
{
    char *exeat = program ? g_find_program_in_path(program) : exeat_path();
    GPtrArray *command = g_ptr_array_new();
    if (!exeat) {
        g_ptr_array_free(command, TRUE);
        return NULL;
    }
    g_ptr_array_add(command, exeat);
    for (size_t i = 0; words[i]; i++)
        g_ptr_array_add(command, g_strdup(words[i]));
    g_ptr_array_add(command, NULL);
    return (char **)g_ptr_array_free(command, FALSE);
}

/* --- verbs --- */

struct verb_run {
    GCancellable *cancel;
    run_ended ended;
    void *owner;
};

static void tell_end(struct verb_run *v, bool good, const char *said)
{
    if (!g_cancellable_is_cancelled(v->cancel))
        v->ended(v->owner, good, g_str_has_prefix(said, "exeat: ") ? said + 7 : said);
    g_object_unref(v->cancel);
    free(v);
}

/* Names in it come from files, and need not be UTF-8. */
static char *text_of(GBytes *bytes)
{
    gsize n = 0;
    const char *all = bytes ? g_bytes_get_data(bytes, &n) : NULL;
    char *text = g_utf8_make_valid(all ? all : "", (gssize)n);
    return g_strstrip(text);
}

static void verb_ended(GObject *source, GAsyncResult *result, gpointer data)
{
    struct verb_run *v = data;
    GSubprocess *process = G_SUBPROCESS(source);
    GBytes *out = NULL;
    GError *error = NULL;
    if (g_subprocess_communicate_finish(process, result, &out, NULL, &error)) {
        bool good = g_subprocess_get_if_exited(process) && g_subprocess_get_exit_status(process) == 0;
        char *text = text_of(out);
        tell_end(v, good, text);
        g_free(text);
    } else {
        tell_end(v, false, error->message);
        g_error_free(error);
    }
    g_clear_pointer(&out, g_bytes_unref);
}

static gboolean no_program(gpointer data)
{
    tell_end(data, false, "that program is not installed");
    return G_SOURCE_REMOVE;
}

void run_verb(const char *program, const char *const words[], GCancellable *cancel, run_ended ended,
              void *owner)
{
    struct verb_run *v = mem_zero(sizeof *v);
    *v = (struct verb_run){.cancel = g_object_ref(cancel), .ended = ended, .owner = owner};
    char **command = command_of(program, words);
    GSubprocess *process =
        command ? g_subprocess_newv((const char *const *)command,
                                    G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE, NULL)
                : NULL;
    g_strfreev(command);
    if (!process) {
        g_idle_add(no_program, v);
        return;
    }
    g_subprocess_communicate_async(process, NULL, cancel, verb_ended, v);
    g_object_unref(process);
}

/* --- terminals --- */

/* Each takes a command behind this word, as separate arguments. */
static const struct {
    const char *program, *word;
} terminals[] = {
    {"xdg-terminal-exec", "--"}, {"x-terminal-emulator", "-e"}, {"gnome-terminal", "--"},
    {"konsole", "-e"},           {"xfce4-terminal", "-x"},      {"xterm", "-e"},
};

static bool spawn_terminal(const char *program, const char *word, char **command)
{
    GPtrArray *all = g_ptr_array_new();
    g_ptr_array_add(all, (char *)program);
    g_ptr_array_add(all, (char *)word);
    g_ptr_array_add(all, "sh");
    g_ptr_array_add(all, "-c");
    g_ptr_array_add(all, "\"$@\"; printf '\\n%s ' 'Press Return to close this window.'; read -r _");
    for (size_t i = 0; command[i]; i++) {
        if (i == 0)
            g_ptr_array_add(all, "sh");
        g_ptr_array_add(all, command[i]);
    }
    g_ptr_array_add(all, NULL);
    GSubprocess *process = g_subprocess_newv((const char *const *)all->pdata, G_SUBPROCESS_FLAGS_NONE, NULL);
    g_ptr_array_free(all, TRUE);
    bool started = process != NULL;
    g_clear_object(&process);
    return started;
}

bool run_in_terminal(const char *program, const char *const words[])
{
    char **command = command_of(program, words);
    bool started = false;
    for (size_t i = 0; command && !started && i < sizeof terminals / sizeof *terminals; i++) {
        char *path = g_find_program_in_path(terminals[i].program);
        started = path && spawn_terminal(path, terminals[i].word, command);
        g_free(path);
    }
    g_strfreev(command);
    return started;
}

/* --- the agent --- */

struct agent_start {
    GCancellable *cancel;
    void (*over)(void *owner, const char *why);
    void *owner;
};

static void end_start(struct agent_start *s, const char *why)
{
    if (!g_cancellable_is_cancelled(s->cancel))
        s->over(s->owner, why);
    g_object_unref(s->cancel);
    free(s);
}

static void agent_ended(GObject *source, GAsyncResult *result, gpointer data)
{
    GSubprocess *process = G_SUBPROCESS(source);
    bool waited = g_subprocess_wait_finish(process, result, NULL);
    bool failed = waited && g_subprocess_get_if_exited(process) && g_subprocess_get_exit_status(process) != 0;
    end_start(data, failed ? "exeat does not start: Diagnose says why" : NULL);
}

/* Of our session no more: it outlives us, and no terminal's signal reaches it. */
static void leave_session(gpointer data)
{
    (void)data;
    setsid();
}

static void run_directly(struct agent_start *s)
{
    static const char *const words[] = {"run", NULL};
    char **command = command_of(NULL, words);
    GSubprocessLauncher *launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_NONE);
    g_subprocess_launcher_set_child_setup(launcher, leave_session, NULL, NULL);
    GSubprocess *process =
        command ? g_subprocess_launcher_spawnv(launcher, (const char *const *)command, NULL) : NULL;
    g_strfreev(command);
    g_object_unref(launcher);
    if (process) {
        g_subprocess_wait_async(process, s->cancel, agent_ended, s);
        g_object_unref(process);
    } else {
        end_start(s, "the program exeat is not installed");
    }
}

static void unit_answered(GObject *source, GAsyncResult *result, gpointer data)
{
    struct agent_start *s = data;
    GVariant *job = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, NULL);
    if (job || g_cancellable_is_cancelled(s->cancel))
        end_start(s, NULL);
    else /* no systemd, or it has no such unit */
        run_directly(s);
    if (job)
        g_variant_unref(job);
}

static gboolean without_bus(gpointer data)
{
    run_directly(data);
    return G_SOURCE_REMOVE;
}

void run_agent(GCancellable *cancel, void (*over)(void *owner, const char *why), void *owner)
{
    struct agent_start *s = mem_zero(sizeof *s);
    *s = (struct agent_start){.cancel = g_object_ref(cancel), .over = over, .owner = owner};
    GDBusConnection *bus = g_bus_get_sync(G_BUS_TYPE_SESSION, NULL, NULL); /* ours already: no waiting */
    if (!bus) {
        g_idle_add(without_bus, s);
        return;
    }
    g_dbus_connection_call(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                           "org.freedesktop.systemd1.Manager", "StartUnit",
                           g_variant_new("(ss)", "exeat.service", "replace"), NULL,
                           G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, cancel, unit_answered, s);
    g_object_unref(bus);
}
