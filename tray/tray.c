/*
 * Everything here is an event: the model has changed, a row was chosen, a button of a notification was pressed, a verb has ended.
 */
#include "tray.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "item.h"
#include "menu.h"
#include "mirror.h"
#include "notice.h"
#include "notify.h"
#include "run.h"

#define HOST_GRACE_S 5     /* a panel may start later than we */
#define WAIT_MOST_S  86400 /* a timer is set for no longer, for clocks are changed */

struct tray {
    const struct tray_settings *settings;
    struct model model;
    struct mirror *mirror;
    struct item *item;
    struct menu *menu;
    struct notify *notify;
    struct notices *notices;
    GCancellable *cancel;
    guint notice_timer, host_timer;
    bool hosted, prompting, agent_seen;
};

static uint64_t now_s(void)
{
    return (uint64_t)(g_get_monotonic_time() / G_USEC_PER_SEC) + 1;
}

static char *icon_name(const struct tray *t, enum model_icon icon)
{
    return g_strconcat(model_icon_name(icon), t->settings->suffix, NULL);
}

static void tell(struct tray *t, const char *topic, const char *title, const char *text)
{
    char *icon = icon_name(t, model_icon(&t->model));
    notify_show(t->notify, topic, icon, false, title, text, NULL, NULL, "");
    g_free(icon);
}

/* --- what verbs say --- */

static void verb_ended(void *owner, bool good, const char *said)
{
    struct tray *t = owner;
    t->prompting = false;
    if (!g_str_has_prefix(said, "cancelled"))
        tell(t, "verb", good ? "exeat" : "exeat: that did not work", said);
    mirror_refresh(t->mirror);
}

static void prompt(struct tray *t, const char *verb, const char *upstream)
{
    const char *const words[] = {verb, "--pinentry", "--", upstream, NULL};
    if (t->prompting)
        return;
    t->prompting = true;
    run_verb(words, t->cancel, verb_ended, t);
}

/* --- does the desktop use us? --- */

static const char *desktop_app(void)
{
    const char *desktop = g_getenv("XDG_CURRENT_DESKTOP");
    return desktop && strstr(desktop, "KDE") ? "kde" : "gnome";
}

static void take_desktop(struct tray *t, json_t *app)
{
    const char *title = json_string_value(json_object_get(app, "title"));
    const char *state = json_string_value(json_object_get(app, "state"));
    free(t->model.desktop);
    t->model.desktop = mem_strdup(title);
    t->model.desktop_uses_us = state && strcmp(state, "exeat") == 0;
}

static void have_apps(void *owner, bool good, const char *said)
{
    struct tray *t = owner;
    json_t *answer = good ? json_loads(said, 0, NULL) : NULL, *app;
    size_t i;
    json_array_foreach(json_object_get(answer, "apps"), i, app)
    {
        const char *name = json_string_value(json_object_get(app, "name"));
        if (name && strcmp(name, desktop_app()) == 0)
            take_desktop(t, app);
    }
    json_decref(answer);
    menu_set(t->menu, &t->model);
}

static void ask_apps(struct tray *t)
{
    static const char *const words[] = {"apps", "--json", NULL};
    run_verb(words, t->cancel, have_apps, t);
}

static void desktop_set(void *owner, bool good, const char *said)
{
    struct tray *t = owner;
    tell(t, "verb", good ? "Proxy settings of the desktop" : "exeat: that did not work", said);
    ask_apps(t);
}

static void switch_desktop(struct tray *t)
{
    const char *const words[] = {"apps", t->model.desktop_uses_us ? "unset" : "set", desktop_app(), NULL};
    run_verb(words, t->cancel, desktop_set, t);
}

/* --- what is chosen --- */

static void diagnosed(void *owner, bool good, const char *said)
{
    (void)good;
    tell(owner, "doctor", "exeat doctor", said);
}

static void diagnose(struct tray *t)
{
    static const char *const words[] = {"doctor", NULL};
    if (!run_in_terminal(NULL, words))
        run_verb(words, t->cancel, diagnosed, t);
}

static void show_log(struct tray *t)
{
    static const char *const words[] = {"log", NULL};
    if (!run_in_terminal(NULL, words))
        tell(t, "verb", "exeat", "There is no terminal window to show the log in: type \"exeat log\".");
}

static const struct model_upstream *upstream_named(const struct tray *t, const char *name)
{
    for (size_t i = 0; i < t->model.n_upstreams; i++)
        if (g_strcmp0(t->model.upstreams[i].name, name) == 0)
            return &t->model.upstreams[i];
    return NULL;
}

/* What the keyholder could renew by itself, it has: what is left needs the person. */
static void renew(struct tray *t, const char *upstream)
{
    const struct model_upstream *u = upstream_named(t, upstream);
    const char *const words[] = {"--", u && strchr(u->identity, '@') ? u->identity : NULL, NULL};
    if (!u || !run_in_terminal("kinit", words[1] ? words : words + 1))
        prompt(t, "login", upstream);
}

static void chosen(void *owner, enum model_action action, const char *upstream)
{
    struct tray *t = owner;
    switch (action) {
    case ACTION_SWITCH:
        mirror_switch(t->mirror, !t->model.on);
        break;
    case ACTION_START:
        mirror_start_agent(t->mirror);
        break;
    case ACTION_PASSWORD:
        prompt(t, "login", upstream);
        break;
    case ACTION_ACCEPT:
        prompt(t, "accept", upstream);
        break;
    case ACTION_DESKTOP:
        switch_desktop(t);
        break;
    case ACTION_DIAGNOSE:
        diagnose(t);
        break;
    case ACTION_LOG:
        show_log(t);
        break;
    case ACTION_QUIT:
        t->settings->quit(t->settings->owner);
        break;
    case ACTION_NONE:
    case ACTION_SEPARATOR:
        break;
    }
}

static void button_pressed(void *owner, const char *action, const char *upstream)
{
    struct tray *t = owner;
    if (strcmp(action, "renew") == 0)
        renew(t, upstream);
    else if (strcmp(action, "doctor") == 0)
        diagnose(t);
    else
        prompt(t, action, upstream);
}

/* --- notifications --- */

static const struct {
    const char *action, *label; /* of the button; NULL: none */
    const char *topic;
    enum model_icon icon;
    bool urgent;
} notice_rows[] = {
    [NOTICE_PASSWORD] = {"login", "Enter password", "password", ICON_PROBLEM, true},
    [NOTICE_ALARM] = {"accept", "Details", "alarm", ICON_PROBLEM, true},
    [NOTICE_TICKET] = {"renew", "Renew", "ticket", ICON_ON, false},
    [NOTICE_DIRECT] = {NULL, NULL, "way", ICON_DIRECT, false},
    [NOTICE_BACK] = {NULL, NULL, "way", ICON_ON, false},
    [NOTICE_AGENT] = {"doctor", "Diagnose", "agent", ICON_PROBLEM, true},
};

static void show_notice(struct tray *t, struct notice *n)
{
    char *icon = icon_name(t, notice_rows[n->kind].icon);
    char *topic = g_strconcat(notice_rows[n->kind].topic, " ", n->upstream, NULL);
    notify_show(t->notify, topic, icon, notice_rows[n->kind].urgent, buf_cstr(&n->title), buf_cstr(&n->text),
                notice_rows[n->kind].action, notice_rows[n->kind].label, n->upstream);
    g_free(topic);
    g_free(icon);
    buf_free(&n->title);
    buf_free(&n->text);
}

static gboolean notice_time(gpointer data);

static void tell_notices(struct tray *t)
{
    struct notice n;
    notices_look(t->notices, &t->model, time(NULL));
    while (notices_take(t->notices, now_s(), &n))
        show_notice(t, &n);
    uint64_t wait = notices_wait(t->notices, &t->model, time(NULL), now_s());
    if (t->notice_timer)
        g_source_remove(t->notice_timer);
    t->notice_timer =
        wait == NOTICE_NEVER
            ? 0
            : g_timeout_add_seconds(wait < WAIT_MOST_S ? (guint)wait : WAIT_MOST_S, notice_time, t);
}

/* A ticket may have been renewed since we looked last: nobody tells of that. */
static gboolean notice_time(gpointer data)
{
    struct tray *t = data;
    t->notice_timer = 0;
    if (t->model.agent == AGENT_HERE)
        mirror_refresh(t->mirror);
    else
        tell_notices(t);
    return G_SOURCE_REMOVE;
}

/* --- the model has changed --- */

static void show(struct tray *t)
{
    struct buf title = {0}, tooltip = {0};
    enum model_icon icon = model_icon(&t->model);
    char *name = icon_name(t, icon);
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
        ask_apps(t);
    t->agent_seen = here;
    show(t);
    tell_notices(t);
}

static void about_to_show(void *owner)
{
    struct tray *t = owner;
    mirror_refresh(t->mirror);
}

static void activated(void *owner)
{
    struct tray *t = owner;
    struct buf title = {0}, text = {0};
    model_title(&t->model, &title);
    model_tooltip(&t->model, &text);
    tell(t, "state", buf_cstr(&title), buf_cstr(&text));
    buf_free(&title);
    buf_free(&text);
}

/* --- a desktop without a panel for us --- */

static char *marker_path(void)
{
    return g_build_filename(g_get_user_state_dir(), "exeat", "no-tray-told", NULL);
}

static gboolean no_host(gpointer data)
{
    struct tray *t = data;
    static const char sentence[] =
        "This desktop has no place for tray icons (StatusNotifierItem; in GNOME the extension "
        "AppIndicator makes one). exeat notifies you and asks for passwords all the same.";
    char *marker = marker_path();
    t->host_timer = 0;
    if (!g_file_test(marker, G_FILE_TEST_EXISTS)) {
        char *folder = g_path_get_dirname(marker);
        fprintf(stderr, "exeat-tray: %s\n", sentence);
        tell(t, "host", "exeat", sentence);
        g_mkdir_with_parents(folder, 0700);
        g_file_set_contents(marker, "", 0, NULL);
        g_free(folder);
    }
    g_free(marker);
    return G_SOURCE_REMOVE;
}

static void hosted(void *owner, bool shown)
{
    struct tray *t = owner;
    t->hosted = shown;
    if (t->host_timer)
        g_source_remove(t->host_timer);
    t->host_timer = shown ? 0 : g_timeout_add_seconds(HOST_GRACE_S, no_host, t);
    if (shown) {
        char *marker = marker_path();
        unlink(marker);
        g_free(marker);
    }
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
    t->notify = notify_new(bus, button_pressed, t);
    t->menu = menu_new(&menu_events, t);
    t->item = item_new(bus, MENU_PATH, settings->icons, &item_events, t);
    t->mirror = mirror_start(&t->model, settings->control, changed, t);
    show(t);
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
    g_object_unref(t->cancel);
    free(t);
}
