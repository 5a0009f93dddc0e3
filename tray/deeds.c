/*
 * What is chosen in the menu or pressed in a notification becomes a question to the agent, a verb of exeat, or a program of the desktop; how that ended is told.
 * One question to the person at a time.
 */
#include <stdlib.h>

#include "run.h"
#include "tray_inside.h"

static void tell_end(struct tray *t, bool good, const char *title, const char *said)
{
    telling_say(t, "verb", good ? title : "exeat: that did not work", said);
}

/* --- verbs that ask --- */

/* Notifications of what has been answered need not stay. */
static void verb_ended(void *owner, bool good, const char *said)
{
    struct tray *t = owner;
    char *question = t->prompting, *upstream = strchr(question, ' ') + 1;
    bool login = g_str_has_prefix(question, "login ");
    t->prompting = NULL;
    if (!g_str_has_prefix(said, "cancelled"))
        tell_end(t, good, "exeat", said);
    if (good)
        telling_over(t, login ? NOTICE_PASSWORD : NOTICE_ALARM, upstream);
    if (good && login)
        telling_over(t, NOTICE_TICKET, upstream);
    g_free(question);
    mirror_refresh(t->mirror);
}

static void prompt(struct tray *t, const char *verb, const char *upstream)
{
    const char *const words[] = {verb, "--pinentry", "--", upstream, NULL};
    if (t->prompting) {
        telling_say(t, "verb", "exeat",
                    "Another question of exeat is open: answer or cancel that one first.");
        return;
    }
    t->prompting = g_strconcat(verb, " ", upstream, NULL);
    run_verb(NULL, words, t->cancel, verb_ended, t);
}

/* --- a ticket --- */

const struct model_upstream *deeds_upstream(const struct tray *t, const char *name)
{
    for (size_t i = 0; i < t->model.n_upstreams; i++)
        if (g_strcmp0(t->model.upstreams[i].name, name) == 0)
            return &t->model.upstreams[i];
    return NULL;
}

static const char *principal_of(const struct model_upstream *u)
{
    return strchr(u->identity, '@') ? u->identity : NULL;
}

/* The KDC wants to see the password again: the keyholder can show it, where it may have it; else only the person can. */
static void ask_for_ticket(struct tray *t, const struct model_upstream *u)
{
    const char *const words[] = {"--", principal_of(u), NULL};
    if (u->renew == RENEW_LOGIN)
        prompt(t, "login", u->name);
    else if (!run_in_terminal("kinit", words[1] ? words : words + 1))
        telling_say(t, "verb", "exeat: that did not work",
                    "The ticket cannot be renewed without your password: type \"kinit\" in a terminal.");
}

static void renewed(void *owner, bool good, const char *said)
{
    struct tray *t = owner;
    char *upstream = t->renewing;
    const struct model_upstream *u = deeds_upstream(t, upstream);
    (void)said; /* that it cannot be renewed: so we ask */
    t->renewing = NULL;
    if (good) {
        telling_say(t, "verb", "exeat", "The Kerberos ticket was renewed.");
        telling_over(t, NOTICE_TICKET, upstream);
    } else if (u) {
        ask_for_ticket(t, u);
    }
    g_free(upstream);
    mirror_refresh(t->mirror);
}

/* What the keyholder got itself it renews itself: this is for what somebody else has got. */
static void renew(struct tray *t, const char *upstream)
{
    const struct model_upstream *u = deeds_upstream(t, upstream);
    if (!u || t->renewing)
        return;
    const char *const words[] = {"-R", principal_of(u), NULL};
    t->renewing = g_strdup(upstream);
    run_verb("kinit", words, t->cancel, renewed, t);
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

void deeds_ask_apps(struct tray *t)
{
    static const char *const words[] = {"apps", "--json", NULL};
    run_verb(NULL, words, t->cancel, have_apps, t);
}

static void desktop_set(void *owner, bool good, const char *said)
{
    struct tray *t = owner;
    tell_end(t, good, "Proxy settings of the desktop", said);
    deeds_ask_apps(t);
}

static void switch_desktop(struct tray *t)
{
    const char *const words[] = {"apps", t->model.desktop_uses_us ? "unset" : "set", desktop_app(), NULL};
    run_verb(NULL, words, t->cancel, desktop_set, t);
}

/* --- windows --- */

static void diagnosed(void *owner, bool good, const char *said)
{
    (void)good;
    telling_say(owner, "doctor", "exeat doctor", said);
}

static void diagnose(struct tray *t)
{
    static const char *const words[] = {"doctor", NULL};
    if (!run_in_terminal(NULL, words))
        run_verb(NULL, words, t->cancel, diagnosed, t);
}

static void show_log(struct tray *t)
{
    static const char *const words[] = {"log", NULL};
    if (!run_in_terminal(NULL, words))
        telling_say(t, "verb", "exeat",
                    "There is no terminal window to show the log in: type \"exeat log\".");
}

/* --- */

void deeds_choose(struct tray *t, enum model_action action, const char *upstream)
{
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
    case ACTION_RENEW:
        renew(t, upstream);
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

void deeds_press(struct tray *t, const char *button, const char *upstream)
{
    if (strcmp(button, "renew") == 0)
        renew(t, upstream);
    else if (strcmp(button, "doctor") == 0)
        diagnose(t);
    else
        prompt(t, button, upstream);
}
