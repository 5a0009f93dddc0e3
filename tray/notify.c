/*
 * One notification per topic on the screen at a time: the server's number of each is kept to replace it, and to know which one a click belongs to. A desktop
 * without a server for them is silent; the icon tells the same.
 */
#include "notify.h"

#include <stdlib.h>

#include "base/buf.h"

#define NAME "org.freedesktop.Notifications"
#define PATH "/org/freedesktop/Notifications"

struct shown {
    char *topic, *action, *upstream;
    guint32 id; /* the server's; 0: not known yet */
};

struct notify {
    GDBusConnection *bus;
    GCancellable *cancel;
    guint signals;
    GPtrArray *shown; /* struct shown */
    notify_chosen chosen;
    void *owner;
};

struct sending {
    struct notify *notify;
    char *topic;
};

static void shown_free(gpointer data)
{
    struct shown *s = data;
    g_free(s->topic);
    g_free(s->action);
    g_free(s->upstream);
    free(s);
}

static struct shown *shown_of(struct notify *n, const char *topic)
{
    for (guint i = 0; i < n->shown->len; i++) {
        struct shown *s = n->shown->pdata[i];
        if (strcmp(s->topic, topic) == 0)
            return s;
    }
    struct shown *s = mem_zero(sizeof *s);
    s->topic = g_strdup(topic);
    g_ptr_array_add(n->shown, s);
    return s;
}

static void happened(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
                     const char *signal, GVariant *arguments, gpointer data)
{
    struct notify *n = data;
    guint32 id;
    const char *key;
    (void)bus, (void)sender, (void)path, (void)interface;
    if (strcmp(signal, "ActionInvoked") != 0 || !g_variant_is_of_type(arguments, G_VARIANT_TYPE("(us)")))
        return;
    g_variant_get(arguments, "(u&s)", &id, &key);
    for (guint i = 0; i < n->shown->len; i++) {
        struct shown *s = n->shown->pdata[i];
        if (s->id == id && g_strcmp0(s->action, key) == 0) {
            n->chosen(n->owner, s->action, s->upstream);
            return;
        }
    }
}

static void sent(GObject *source, GAsyncResult *result, gpointer data)
{
    struct sending *w = data;
    GError *error = NULL;
    GVariant *answer = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
    if (answer) {
        g_variant_get(answer, "(u)", &shown_of(w->notify, w->topic)->id);
        g_variant_unref(answer);
    }
    g_clear_error(&error);
    g_free(w->topic);
    free(w);
}

void notify_show(struct notify *n, const char *topic, const char *icon, bool urgent, const char *title,
                 const char *text, const char *action, const char *label, const char *upstream)
{
    struct shown *s = shown_of(n, topic);
    GVariantBuilder actions, hints;
    char *body = g_markup_escape_text(text, -1);
    g_free(s->action);
    g_free(s->upstream);
    s->action = g_strdup(action);
    s->upstream = g_strdup(upstream);
    g_variant_builder_init(&actions, G_VARIANT_TYPE("as"));
    if (action) {
        g_variant_builder_add(&actions, "s", action);
        g_variant_builder_add(&actions, "s", label);
    }
    g_variant_builder_init(&hints, G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&hints, "{sv}", "urgency", g_variant_new_byte(urgent ? 2 : 1));
    g_variant_builder_add(&hints, "{sv}", "desktop-entry", g_variant_new_string("exeat-tray"));
    struct sending *w = mem_zero(sizeof *w);
    *w = (struct sending){.notify = n, .topic = g_strdup(topic)};
    g_dbus_connection_call(
        n->bus, NAME, PATH, NAME, "Notify",
        g_variant_new("(susssasa{sv}i)", "exeat", s->id, icon, title, body, &actions, &hints, -1),
        G_VARIANT_TYPE("(u)"), G_DBUS_CALL_FLAGS_NONE, -1, n->cancel, sent, w);
    g_free(body);
}

struct notify *notify_new(GDBusConnection *bus, notify_chosen chosen, void *owner)
{
    struct notify *n = mem_zero(sizeof *n);
    *n = (struct notify){.bus = g_object_ref(bus),
                         .cancel = g_cancellable_new(),
                         .shown = g_ptr_array_new_with_free_func(shown_free),
                         .chosen = chosen,
                         .owner = owner};
    n->signals = g_dbus_connection_signal_subscribe(bus, NAME, NAME, NULL, PATH, NULL,
                                                    G_DBUS_SIGNAL_FLAGS_NONE, happened, n, NULL);
    return n;
}

void notify_free(struct notify *n)
{
    g_cancellable_cancel(n->cancel);
    g_object_unref(n->cancel);
    g_dbus_connection_signal_unsubscribe(n->bus, n->signals);
    g_ptr_array_free(n->shown, TRUE);
    g_object_unref(n->bus);
    free(n);
}
