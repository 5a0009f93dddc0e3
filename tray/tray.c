/*
 * Everything here is an event: the model has changed, a row was chosen, somebody is about to look, a panel has come or gone.
 */
#include "tray.h"

#include <stdlib.h>

#include "tray_inside.h"

#define HOST_GRACE_S 5 /* a panel may start later than we */

/* --- the model has changed --- */

void tray_show(struct tray *t)
{
    struct buf title = {0}, tooltip = {0};
    enum model_icon icon = model_icon(&t->model);
    char *name = g_strconcat(model_icon_name(icon), t->settings->suffix, NULL);
    model_title(&t->model, &title);
    model_tooltip(&t->model, &tooltip);
    item_set(t->item, &(struct item_look){.icon = name,
                                          .words = model_icon_words(icon),
                                          .title = buf_cstr(&title),
                                          .tooltip = buf_cstr(&tooltip),
                                          .attention = icon == ICON_PROBLEM});
    menu_set(t->menu, &t->model);
    g_free(name);
    buf_free(&title);
    buf_free(&tooltip);
}

static void changed(void *owner)
{
    struct tray *t = owner;
    bool here = t->model.agent == AGENT_HERE;
    if (here && !t->agent_seen)
        deeds_ask_apps(t);
    t->agent_seen = here;
    tray_show(t);
    telling_look(t);
}

/* --- what a person does with icon and menu --- */

static void chosen(void *owner, enum model_action action, const char *upstream)
{
    deeds_choose(owner, action, upstream);
}

static void about_to_show(void *owner)
{
    struct tray *t = owner;
    mirror_refresh(t->mirror);
}

static void activated(void *owner)
{
    telling_state(owner);
}

/* --- the panel --- */

static gboolean no_host(gpointer data)
{
    struct tray *t = data;
    t->host_timer = 0;
    telling_no_host(t);
    return G_SOURCE_REMOVE;
}

/* One that was there comes back: it is started again, or the session ends. */
static void hosted(void *owner, bool shown)
{
    struct tray *t = owner;
    bool first = !t->host_known;
    t->hosted = shown;
    t->host_known = true;
    t->ever_hosted = t->ever_hosted || shown;
    if (t->host_timer)
        g_source_remove(t->host_timer);
    t->host_timer = t->ever_hosted ? 0 : g_timeout_add_seconds(HOST_GRACE_S, no_host, t);
    if (shown)
        telling_hosted(t);
    if (first)
        telling_look(t);
}

struct tray *tray_new(GDBusConnection *bus, const struct tray_settings *settings)
{
    static const struct item_events item_events = {activated, hosted};
    static const struct menu_events menu_events = {chosen, about_to_show};
    struct tray *t = mem_zero(sizeof *t);
    t->settings = settings;
    t->cancel = g_cancellable_new();
    t->notices = notices_new();
    model_init(&t->model);
    t->notify = notify_new(bus, &telling_events, t);
    t->menu = menu_new(&menu_events, t);
    t->item = item_new(bus, MENU_PATH, settings->icons, &item_events, t);
    t->mirror = mirror_start(&t->model, settings->control, changed, t);
    tray_show(t);
    return t;
}

void tray_free(struct tray *t)
{
    g_cancellable_cancel(t->cancel);
    if (t->notice_timer)
        g_source_remove(t->notice_timer);
    if (t->host_timer)
        g_source_remove(t->host_timer);
    mirror_free(t->mirror);
    item_free(t->item);
    menu_free(t->menu);
    notify_free(t->notify);
    notices_free(t->notices);
    model_done(&t->model);
    g_free(t->prompting);
    g_free(t->renewing);
    g_object_unref(t->cancel);
    free(t);
}
