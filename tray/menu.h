/*
 * The rows of the model as a menu on the bus (com.canonical.dbusmenu). GLib's main loop; one thread.
 */
#ifndef EXEAT_TRAY_MENU_H
#define EXEAT_TRAY_MENU_H

#include "model.h"

#define MENU_PATH "/MenuBar"

struct menu;

struct menu_events {
    void (*chosen)(void *owner, enum model_action action, const char *upstream);
    void (*about_to_show)(void *owner);
};

/* On the session bus, at MENU_PATH. */
struct menu *menu_new(const struct menu_events *events, void *owner);
void menu_free(struct menu *m);
void menu_set(struct menu *m, const struct model *model);

#endif
