/*
 * What is told by notifications: news in the model, how a verb ended, that there is no panel. Where the desktop shows none, news stay news until it does, and
 * the rest is put into menu and tooltip.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tray_inside.h"

#define WAIT_MOST_S 86400 /* a timer is set for no longer, for clocks are changed */

/* Tags of what is no notice. */
enum { TAG_ANSWER = NOTIFY_NO_TAG, TAG_STATE = -2, TAG_HOST = -3 };

static uint64_t now_s(void)
{
    return (uint64_t)(g_get_monotonic_time() / G_USEC_PER_SEC) + 1;
}

static char *icon_name(const struct tray *t, enum model_icon icon)
{
    return g_strconcat(model_icon_name(icon), t->settings->suffix, NULL);
}

static void tell(struct tray *t, int tag, const char *topic, const char *title, const char *text)
{
    char *icon = icon_name(t, model_icon(&t->model));
    notify_show(t->notify,
                &(struct notification){
                    .topic = topic, .icon = icon, .title = title, .text = text, .upstream = "", .tag = tag});
    g_free(icon);
}

void telling_say(struct tray *t, const char *topic, const char *title, const char *text)
{
    model_unsaid(&t->model, NULL);
    tell(t, TAG_ANSWER, topic, title, text);
}

void telling_state(struct tray *t)
{
    struct buf title = {0}, text = {0};
    model_title(&t->model, &title);
    model_tooltip(&t->model, &text);
    tell(t, TAG_STATE, "state", buf_cstr(&title), buf_cstr(&text));
    buf_free(&title);
    buf_free(&text);
}

/* --- news --- */

static const struct {
    const char *action, *label; /* of the button; NULL: none */
    const char *entry;          /* the same in the menu, before the upstream's name and after it */
    const char *end;
    const char *verb; /* and typed, likewise */
    const char *topic;
    enum model_icon icon;
    bool urgent;
} rows[] = {
    [NOTICE_PASSWORD] = {"login", "Enter password", "Enter password for ", "…", "exeat login ", "password",
                         ICON_PROBLEM, true},
    [NOTICE_ALARM] = {"accept", "Details", "Accept weaker scheme of ", "…", "exeat accept ", "alarm",
                      ICON_PROBLEM, true},
    [NOTICE_TICKET] = {"renew", "Renew", "Renew ticket for ", "", NULL, "ticket", ICON_ON, false},
    [NOTICE_DIRECT] = {.topic = "way", .icon = ICON_DIRECT},
    [NOTICE_BACK] = {.topic = "way", .icon = ICON_ON},
    [NOTICE_AGENT] = {"doctor", "Diagnose", "Diagnose", "", "exeat doctor", "agent", ICON_PROBLEM, true},
};

static char *topic_of(enum notice_kind kind, const char *upstream)
{
    return g_strconcat(rows[kind].topic, " ", upstream, NULL);
}

/* For a desktop that shows no buttons: what to choose, or to type where there is no icon either. The caller frees. */
static char *in_words(const struct tray *t, enum notice_kind kind, const char *upstream)
{
    const struct model_upstream *u = deeds_upstream(t, upstream);
    if (!rows[kind].action)
        return NULL;
    if (t->hosted)
        return g_strdup_printf("In the menu of the exeat icon: “%s%s%s”.", rows[kind].entry, upstream,
                               rows[kind].end);
    if (rows[kind].verb)
        return g_strdup_printf("To do so, type: %s%s", rows[kind].verb, upstream);
    return u && u->renew == RENEW_LOGIN ? g_strdup_printf("To do so, type: exeat login %s", upstream)
                                        : g_strdup("To do so, type: kinit -R, or kinit");
}

static void show_notice(struct tray *t, struct notice *n)
{
    char *icon = icon_name(t, rows[n->kind].icon), *topic = topic_of(n->kind, n->upstream);
    char *instead = in_words(t, n->kind, n->upstream);
    notify_show(t->notify, &(struct notification){.topic = topic,
                                                  .icon = icon,
                                                  .urgent = rows[n->kind].urgent,
                                                  .title = buf_cstr(&n->title),
                                                  .text = buf_cstr(&n->text),
                                                  .action = rows[n->kind].action,
                                                  .label = rows[n->kind].label,
                                                  .instead = instead,
                                                  .upstream = n->upstream,
                                                  .tag = (int)n->kind});
    g_free(instead);
    g_free(topic);
    g_free(icon);
    buf_free(&n->title);
    buf_free(&n->text);
}

/* A ticket may have been renewed since we looked last: nobody tells of that. */
static gboolean notice_time(gpointer data)
{
    struct tray *t = data;
    t->notice_timer = 0;
    if (t->model.agent == AGENT_HERE)
        mirror_refresh(t->mirror);
    else
        telling_look(t);
    return G_SOURCE_REMOVE;
}

/* Not before we know whether there is an icon: what to do is said by it. */
void telling_look(struct tray *t)
{
    struct notice n;
    bool mute = notify_is_deaf(t->notify) || !t->host_known;
    notices_look(t->notices, &t->model, time(NULL));
    while (!mute && notices_take(t->notices, now_s(), &n)) {
        show_notice(t, &n);
        mute = notify_is_deaf(t->notify);
    }
    uint64_t wait = mute ? NOTICE_NEVER : notices_wait(t->notices, &t->model, time(NULL), now_s());
    if (t->notice_timer)
        g_source_remove(t->notice_timer);
    t->notice_timer =
        wait == NOTICE_NEVER
            ? 0
            : g_timeout_add_seconds(wait < WAIT_MOST_S ? (guint)wait : WAIT_MOST_S, notice_time, t);
}

void telling_over(struct tray *t, enum notice_kind kind, const char *upstream)
{
    char *topic = topic_of(kind, upstream);
    notify_withdraw(t->notify, topic);
    g_free(topic);
}

/* --- a desktop without a panel for us --- */

static char *marker_path(void)
{
    return g_build_filename(g_get_user_state_dir(), "exeat", "no-tray-told", NULL);
}

void telling_no_host(struct tray *t)
{
    static const char sentence[] =
        "This desktop has no place for tray icons (StatusNotifierItem; in GNOME the extension "
        "AppIndicator makes one). exeat notifies you and asks for passwords all the same.";
    char *marker = marker_path();
    if (!g_file_test(marker, G_FILE_TEST_EXISTS)) {
        char *folder = g_path_get_dirname(marker);
        fprintf(stderr, "exeat-tray: %s\n", sentence);
        tell(t, TAG_HOST, "host", "exeat", sentence);
        g_mkdir_with_parents(folder, 0700);
        g_file_set_contents(marker, "", 0, NULL);
        g_free(folder);
    }
    g_free(marker);
}

void telling_hosted(struct tray *t)
{
    char *marker = marker_path();
    unlink(marker);
    g_free(marker);
    t->host_due = false;
}

/* --- is anybody listening? --- */

static void chosen(void *owner, const char *action, const char *upstream)
{
    deeds_press(owner, action, upstream);
}

static void unheard(void *owner, const struct notification *what)
{
    struct tray *t = owner;
    if (what->tag >= 0) {
        notices_untold(t->notices, (enum notice_kind)what->tag, what->upstream, notify_is_deaf(t->notify));
        telling_look(t);
    } else if (what->tag == TAG_HOST) {
        telling_hosted(t);
        t->host_due = true;
    } else if (what->tag == TAG_ANSWER) {
        char *words = g_strdup_printf("%s: %s", what->title, what->text);
        fprintf(stderr, "exeat-tray: %s\n", words);
        model_unsaid(&t->model, words);
        g_free(words);
        tray_show(t);
    }
}

static void heard(void *owner)
{
    struct tray *t = owner;
    if (t->host_due && !t->hosted)
        telling_no_host(t);
    t->host_due = false;
    telling_look(t);
}

const struct notify_events telling_events = {chosen, unheard, heard};
