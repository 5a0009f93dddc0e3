/*
 * One notification per topic on the screen at a time: the server's number of each is kept to replace it, and to know which one a click belongs to. Before the
 * first one, the server is asked what it can do; another server, or the same one started again, is asked again, and its numbers are
 * others. A desktop without a server is no failure: the owner hears of each that was not shown, and when there is a server.
 */
#include "notify.h"

#include <stdlib.h>

#include "base/buf.h"

#define NAME "org.freedesktop.Notifications"
#define PATH "/org/freedesktop/Notifications"

struct shown {
    char *topic, *icon, *title, *text, *action, *label, *instead, *upstream;
    int tag;
    bool urgent;
    bool due;   /* to be sent */
    guint32 id; /* the server's; 0: not known (yet) */
    bool open;  /* as far as we know, it is still on the screen */
};

struct notify {
    GDBusConnection *bus;
    GCancellable *cancel;
    guint signals, watch;
    GPtrArray *shown; /* struct shown */
    bool present;     /* a server runs; another may be started when it is called */
    bool deaf;
    bool asking, known; /* what it can do: */
    bool buttons, markup;
    const struct notify_events *events;
    void *owner;
};

struct sending {
    struct notify *notify;
    char *topic;
};

static void forget_texts(struct shown *s)
{
    char **texts[] = {&s->icon, &s->title, &s->text, &s->action, &s->label, &s->instead, &s->upstream};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        g_clear_pointer(texts[i], g_free);
}

static void shown_free(gpointer data)
{
    struct shown *s = data;
    forget_texts(s);
    g_free(s->topic);
    free(s);
}

static struct shown *find(const struct notify *n, const char *topic)
{
    for (guint i = 0; i < n->shown->len; i++) {
        struct shown *s = n->shown->pdata[i];
        if (strcmp(s->topic, topic) == 0)
            return s;
    }
    return NULL;
}

static struct shown *shown_of(struct notify *n, const char *topic)
{
    struct shown *s = find(n, topic);
    if (s)
        return s;
    s = mem_zero(sizeof *s);
    s->topic = g_strdup(topic);
    g_ptr_array_add(n->shown, s);
    return s;
}

/* --- what the server says by itself --- */

static void happened(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
                     const char *signal, GVariant *arguments, gpointer data)
{
    struct notify *n = data;
    guint32 id = 0;
    const char *key = NULL;
    (void)bus, (void)sender, (void)path, (void)interface;
    if (strcmp(signal, "ActionInvoked") == 0 && g_variant_is_of_type(arguments, G_VARIANT_TYPE("(us)")))
        g_variant_get(arguments, "(u&s)", &id, &key);
    if (strcmp(signal, "NotificationClosed") == 0 && g_variant_is_of_type(arguments, G_VARIANT_TYPE("(uu)")))
        g_variant_get(arguments, "(uu)", &id, NULL);
    for (guint i = 0; id && i < n->shown->len; i++) {
        struct shown *s = n->shown->pdata[i];
        if (s->id != id)
            continue;
        if (!key)
            s->open = false; /* some servers say this before the button that closed it */
        else if (g_strcmp0(s->action, key) == 0)
            n->events->chosen(n->owner, s->action, s->upstream);
        return;
    }
}

/* Numbers of another server are not ours: they would take the place of somebody else's notification. */
static void forget_server(struct notify *n)
{
    n->known = false;
    for (guint i = 0; i < n->shown->len; i++) {
        struct shown *s = n->shown->pdata[i];
        s->id = 0;
        s->open = false;
    }
}

static void server_here(GDBusConnection *bus, const char *name, const char *owner, gpointer data)
{
    struct notify *n = data;
    (void)bus, (void)name, (void)owner;
    n->present = true;
    n->deaf = false;
    forget_server(n);
    n->events->heard(n->owner);
}

static void server_gone(GDBusConnection *bus, const char *name, gpointer data)
{
    struct notify *n = data;
    (void)bus, (void)name;
    n->present = false;
    forget_server(n);
}

/* --- sending --- */

static void not_shown(struct notify *n, struct shown *s)
{
    n->deaf = !n->present;
    s->due = false;
    n->events->unheard(
        n->owner,
        &(struct notification){
            .topic = s->topic, .title = s->title, .text = s->text, .upstream = s->upstream, .tag = s->tag});
}

/* false: it was cancelled, and what `data` points to is no more. */
static bool finish(GObject *source, GAsyncResult *result, GVariant **answer)
{
    GError *error = NULL;
    *answer = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
    bool cancelled = !*answer && g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_clear_error(&error);
    return !cancelled;
}

static void sent(GObject *source, GAsyncResult *result, gpointer data)
{
    struct sending *w = data;
    GVariant *answer;
    if (finish(source, result, &answer)) {
        struct shown *s = shown_of(w->notify, w->topic);
        if (answer)
            g_variant_get(answer, "(u)", &s->id);
        s->open = answer != NULL;
        if (!answer && !s->due)
            not_shown(w->notify, s);
    }
    g_clear_pointer(&answer, g_variant_unref);
    g_free(w->topic);
    free(w);
}

static char *body_of(const struct notify *n, const struct shown *s)
{
    bool add = s->action && s->instead && !n->buttons;
    char *text = g_strconcat(s->text, add ? "\n" : "", add ? s->instead : "", NULL);
    char *body = n->markup ? g_markup_escape_text(text, -1) : g_strdup(text);
    g_free(text);
    return body;
}

static void send_one(struct notify *n, struct shown *s)
{
    GVariantBuilder actions, hints;
    char *body = body_of(n, s);
    g_variant_builder_init(&actions, G_VARIANT_TYPE("as"));
    if (s->action && n->buttons) {
        g_variant_builder_add(&actions, "s", s->action);
        g_variant_builder_add(&actions, "s", s->label);
    }
    g_variant_builder_init(&hints, G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&hints, "{sv}", "urgency", g_variant_new_byte(s->urgent ? 2 : 1));
    g_variant_builder_add(&hints, "{sv}", "desktop-entry", g_variant_new_string("exeat-tray"));
    struct sending *w = mem_zero(sizeof *w);
    *w = (struct sending){.notify = n, .topic = g_strdup(s->topic)};
    s->due = false;
    g_dbus_connection_call(n->bus, NAME, PATH, NAME, "Notify",
                           g_variant_new("(susssasa{sv}i)", "exeat", s->open ? s->id : 0, s->icon, s->title,
                                         body, &actions, &hints, -1),
                           G_VARIANT_TYPE("(u)"), G_DBUS_CALL_FLAGS_NONE, -1, n->cancel, sent, w);
    g_free(body);
}

static void learn(struct notify *n, GVariant *answer)
{
    const char **words;
    g_variant_get(answer, "(^a&s)", &words);
    n->buttons = g_strv_contains(words, "actions");
    n->markup = g_strv_contains(words, "body-markup");
    n->known = true;
    g_free(words);
}

static void have_capabilities(GObject *source, GAsyncResult *result, gpointer data)
{
    struct notify *n;
    GVariant *answer;
    if (!finish(source, result, &answer))
        return;
    n = data;
    n->asking = false;
    if (answer)
        learn(n, answer);
    g_clear_pointer(&answer, g_variant_unref);
    for (guint i = 0; i < n->shown->len; i++) {
        struct shown *s = n->shown->pdata[i];
        if (s->due && n->known)
            send_one(n, s);
        else if (s->due)
            not_shown(n, s);
    }
}

void notify_show(struct notify *n, const struct notification *what)
{
    struct shown *s = shown_of(n, what->topic);
    forget_texts(s);
    s->icon = g_strdup(what->icon);
    s->title = g_utf8_make_valid(what->title, -1);
    s->text = g_utf8_make_valid(what->text, -1);
    s->action = g_strdup(what->action);
    s->label = g_strdup(what->label);
    s->instead = g_strdup(what->instead);
    s->upstream = g_strdup(what->upstream);
    s->urgent = what->urgent;
    s->tag = what->tag;
    s->due = true;
    if (n->known) {
        send_one(n, s);
    } else if (!n->asking) {
        n->asking = true;
        g_dbus_connection_call(n->bus, NAME, PATH, NAME, "GetCapabilities", NULL, G_VARIANT_TYPE("(as)"),
                               G_DBUS_CALL_FLAGS_NONE, -1, n->cancel, have_capabilities, n);
    }
}

void notify_withdraw(struct notify *n, const char *topic)
{
    struct shown *s = find(n, topic);
    if (!s)
        return;
    s->due = false;
    if (s->open)
        g_dbus_connection_call(n->bus, NAME, PATH, NAME, "CloseNotification", g_variant_new("(u)", s->id),
                               NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL, NULL);
    s->open = false;
}

bool notify_is_deaf(const struct notify *n)
{
    return n->deaf;
}

struct notify *notify_new(GDBusConnection *bus, const struct notify_events *events, void *owner)
{
    struct notify *n = mem_zero(sizeof *n);
    *n = (struct notify){.bus = g_object_ref(bus),
                         .cancel = g_cancellable_new(),
                         .shown = g_ptr_array_new_with_free_func(shown_free),
                         .events = events,
                         .owner = owner};
    n->signals = g_dbus_connection_signal_subscribe(bus, NAME, NAME, NULL, PATH, NULL,
                                                    G_DBUS_SIGNAL_FLAGS_NONE, happened, n, NULL);
    n->watch = g_bus_watch_name_on_connection(bus, NAME, G_BUS_NAME_WATCHER_FLAGS_NONE, server_here,
                                              server_gone, n, NULL);
    return n;
}

void notify_free(struct notify *n)
{
    g_cancellable_cancel(n->cancel);
    g_object_unref(n->cancel);
    g_bus_unwatch_name(n->watch);
    g_dbus_connection_signal_unsubscribe(n->bus, n->signals);
    g_ptr_array_free(n->shown, TRUE);
    g_object_unref(n->bus);
    free(n);
}
