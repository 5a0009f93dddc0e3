/*
 * What the parts of the tray share: tray.c puts them together, deeds.c does what is chosen, telling.c notifies. GLib's main loop; one thread.
 */
#ifndef EXEAT_TRAY_TRAY_INSIDE_H
#define EXEAT_TRAY_TRAY_INSIDE_H

#include "item.h"
#include "menu.h"
#include "mirror.h"
#include "notice.h"
#include "notify.h"
#include "tray.h"

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
    bool host_known, hosted, ever_hosted, agent_seen;
    bool host_due;   /* that there is no panel for us has not been heard yet */
    char *prompting; /* the verb whose question is open; NULL: none */
    char *renewing;  /* the upstream whose ticket is being renewed; NULL: none */
};

/* tray.c */
void tray_show(struct tray *t); /* the model may look different */

/* deeds.c */
void deeds_choose(struct tray *t, enum model_action action, const char *upstream);
void deeds_press(struct tray *t, const char *button, const char *upstream);
void deeds_ask_apps(struct tray *t); /* does the desktop use us? */
const struct model_upstream *deeds_upstream(const struct tray *t, const char *name);

/* telling.c */
extern const struct notify_events telling_events;
void telling_say(struct tray *t, const char *topic, const char *title, const char *text);
void telling_look(struct tray *t); /* for news in the model */
void telling_state(struct tray *t);
void telling_no_host(struct tray *t);
void telling_hosted(struct tray *t); /* there is a panel: should it be missing some day, that is news */
/* What was told of it is over. */
void telling_over(struct tray *t, enum notice_kind kind, const char *upstream);

#endif
