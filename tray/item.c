/*
 * The interface by hand over GDBus: it is small, and so the tooltip and the left click are ours. Properties are read by the host when a signal says that they
 * have changed.
 */
#include "item.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"

#define ITEM_PATH "/StatusNotifierItem"
#define ITEM      "org.kde.StatusNotifierItem"
#define WATCHER   "org.kde.StatusNotifierWatcher"

static const char interface_xml[] =
    "<node><interface name='" ITEM "'>"
    "<property name='Category' type='s' access='read'/><property name='Id' type='s' access='read'/>"
    "<property name='Title' type='s' access='read'/><property name='Status' type='s' access='read'/>"
    "<property name='WindowId' type='i' access='read'/><property name='IconName' type='s' access='read'/>"
    "<property name='IconThemePath' type='s' access='read'/>"
    "<property name='IconAccessibleDesc' type='s' access='read'/>"
    "<property name='AttentionIconName' type='s' access='read'/>"
    "<property name='AttentionAccessibleDesc' type='s' access='read'/>"
    "<property name='ToolTip' type='(sa(iiay)ss)' access='read'/>"
    "<property name='ItemIsMenu' type='b' access='read'/><property name='Menu' type='o' access='read'/>"
    "<method name='Activate'><arg type='i' direction='in'/><arg type='i' direction='in'/></method>"
    "<method name='SecondaryActivate'><arg type='i' direction='in'/><arg type='i' direction='in'/></method>"
    "<method name='ContextMenu'><arg type='i' direction='in'/><arg type='i' direction='in'/></method>"
    "<method name='Scroll'><arg type='i' direction='in'/><arg type='s' direction='in'/></method>"
    "<signal name='NewTitle'/><signal name='NewIcon'/><signal name='NewAttentionIcon'/>"
    "<signal name='NewToolTip'/><signal name='NewStatus'><arg type='s'/></signal>"
    "</interface></node>";

struct item {
    GDBusConnection *bus;
    GDBusNodeInfo *info;
    guint object, name, watch, signals;
    char *own_name, *menu, *icons;
    char *icon, *words, *title, *tooltip;
    bool attention;
    GCancellable *cancel;
    const struct item_events *events;
    void *owner;
};

/* --- what the host reads --- */

static const char *status_of(const struct item *i)
{
    return i->attention ? "NeedsAttention" : "Active";
}

/* What hosts show as markup: the text must not become any. */
static GVariant *tooltip_of(const struct item *i)
{
    char *text = g_markup_escape_text(i->tooltip, -1);
    GVariantBuilder pixmaps;
    g_variant_builder_init(&pixmaps, G_VARIANT_TYPE("a(iiay)"));
    GVariant *value = g_variant_new("(sa(iiay)ss)", "", &pixmaps, i->title, text);
    g_free(text);
    return value;
}

static GVariant *read_property(GDBusConnection *bus, const char *sender, const char *path,
                               const char *interface, const char *name, GError **error, gpointer data)
{
    const struct item *i = data;
    const struct {
        const char *name, *text;
    } texts[] = {
        {"Category", "Communications"},
        {"Id", "exeat"},
        {"Title", i->title},
        {"Status", status_of(i)},
        {"IconName", i->icon},
        {"IconThemePath", i->icons},
        {"IconAccessibleDesc", i->words},
        {"AttentionIconName", i->icon},
        {"AttentionAccessibleDesc", i->words},
    };
    (void)bus, (void)sender, (void)path, (void)interface, (void)error;
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
        if (strcmp(texts[k].name, name) == 0)
            return g_variant_new_string(texts[k].text);
    if (strcmp(name, "ToolTip") == 0)
        return tooltip_of(i);
    if (strcmp(name, "Menu") == 0)
        return g_variant_new_object_path(i->menu);
    return strcmp(name, "WindowId") == 0 ? g_variant_new_int32(0) : g_variant_new_boolean(TRUE);
}

static void called(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
                   const char *method, GVariant *arguments, GDBusMethodInvocation *call, gpointer data)
{
    struct item *i = data;
    (void)bus, (void)sender, (void)path, (void)interface, (void)arguments;
    g_dbus_method_invocation_return_value(call, NULL);
    if (strcmp(method, "Activate") == 0)
        i->events->activated(i->owner);
}

static void say(struct item *i, const char *signal, GVariant *arguments)
{
    g_dbus_connection_emit_signal(i->bus, NULL, ITEM_PATH, ITEM, signal, arguments, NULL);
}

/* --- the watcher --- */

static void host_asked(GObject *source, GAsyncResult *result, gpointer data)
{
    struct item *i;
    GError *error = NULL;
    GVariant *answer = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
    if (!answer && g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        g_error_free(error);
        return; /* `data` is no more */
    }
    i = data;
    GVariant *value = NULL;
    if (answer)
        g_variant_get(answer, "(v)", &value);
    i->events->hosted(i->owner, value && g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN) &&
                                    g_variant_get_boolean(value));
    g_clear_pointer(&value, g_variant_unref);
    g_clear_pointer(&answer, g_variant_unref);
    g_clear_error(&error);
}

static void ask_for_host(struct item *i)
{
    g_dbus_connection_call(i->bus, WATCHER, "/StatusNotifierWatcher", "org.freedesktop.DBus.Properties",
                           "Get", g_variant_new("(ss)", WATCHER, "IsStatusNotifierHostRegistered"),
                           G_VARIANT_TYPE("(v)"), G_DBUS_CALL_FLAGS_NONE, -1, i->cancel, host_asked, i);
}

static void watcher_here(GDBusConnection *bus, const char *name, const char *owner, gpointer data)
{
    struct item *i = data;
    (void)name, (void)owner;
    g_dbus_connection_call(bus, WATCHER, "/StatusNotifierWatcher", WATCHER, "RegisterStatusNotifierItem",
                           g_variant_new("(s)", i->own_name), NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL,
                           NULL);
    ask_for_host(i);
}

static void watcher_gone(GDBusConnection *bus, const char *name, gpointer data)
{
    struct item *i = data;
    (void)bus, (void)name;
    i->events->hosted(i->owner, false);
}

static void host_came(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
                      const char *signal, GVariant *arguments, gpointer data)
{
    (void)bus, (void)sender, (void)path, (void)interface, (void)arguments;
    if (strcmp(signal, "StatusNotifierHostRegistered") == 0 ||
        strcmp(signal, "StatusNotifierHostUnregistered") == 0)
        ask_for_host(data);
}

/* --- */

static void replace(char **at, const char *with, bool *changed)
{
    if (g_strcmp0(*at, with) == 0)
        return;
    g_free(*at);
    *at = g_strdup(with);
    *changed = true;
}

void item_set(struct item *i, const struct item_look *look)
{
    bool icon = false, title = false, tooltip = false;
    replace(&i->icon, look->icon, &icon);
    replace(&i->words, look->words, &icon);
    replace(&i->title, look->title, &title);
    replace(&i->tooltip, look->tooltip, &tooltip);
    bool status = i->attention != look->attention;
    i->attention = look->attention;
    if (icon)
        say(i, "NewIcon", NULL);
    if (icon && i->attention)
        say(i, "NewAttentionIcon", NULL);
    if (title)
        say(i, "NewTitle", NULL);
    if (title || tooltip)
        say(i, "NewToolTip", NULL);
    if (status)
        say(i, "NewStatus", g_variant_new("(s)", status_of(i)));
}

struct item *item_new(GDBusConnection *bus, const char *menu, const char *icons,
                      const struct item_events *events, void *owner)
{
    static const GDBusInterfaceVTable table = {.method_call = called, .get_property = read_property};
    struct item *i = mem_zero(sizeof *i);
    *i = (struct item){.bus = g_object_ref(bus),
                       .menu = g_strdup(menu),
                       .icons = g_strdup(icons),
                       .icon = g_strdup(""),
                       .words = g_strdup(""),
                       .title = g_strdup("exeat"),
                       .tooltip = g_strdup(""),
                       .cancel = g_cancellable_new(),
                       .events = events,
                       .owner = owner};
    i->own_name = g_strdup_printf(ITEM "-%d-1", (int)getpid());
    i->info = g_dbus_node_info_new_for_xml(interface_xml, NULL);
    i->object =
        g_dbus_connection_register_object(bus, ITEM_PATH, i->info->interfaces[0], &table, i, NULL, NULL);
    i->name =
        g_bus_own_name_on_connection(bus, i->own_name, G_BUS_NAME_OWNER_FLAGS_NONE, NULL, NULL, NULL, NULL);
    i->signals = g_dbus_connection_signal_subscribe(bus, WATCHER, WATCHER, NULL, "/StatusNotifierWatcher",
                                                    NULL, G_DBUS_SIGNAL_FLAGS_NONE, host_came, i, NULL);
    i->watch = g_bus_watch_name_on_connection(bus, WATCHER, G_BUS_NAME_WATCHER_FLAGS_NONE, watcher_here,
                                              watcher_gone, i, NULL);
    return i;
}

void item_free(struct item *i)
{
    g_cancellable_cancel(i->cancel);
    g_object_unref(i->cancel);
    g_bus_unwatch_name(i->watch);
    g_dbus_connection_signal_unsubscribe(i->bus, i->signals);
    g_bus_unown_name(i->name);
    g_dbus_connection_unregister_object(i->bus, i->object);
    g_dbus_node_info_unref(i->info);
    char *texts[] = {i->own_name, i->menu, i->icons, i->icon, i->words, i->title, i->tooltip};
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
        g_free(texts[k]);
    g_object_unref(i->bus);
    free(i);
}
