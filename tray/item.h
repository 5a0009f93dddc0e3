/*
 * The icon on the desktop's panel: org.kde.StatusNotifierItem, which KDE, XFCE, LXQt, MATE, Cinnamon, waybar and (with an extension) GNOME show. It registers with
 * whatever watcher is there or comes later. GLib's main loop; one thread.
 */
#ifndef EXEAT_TRAY_ITEM_H
#define EXEAT_TRAY_ITEM_H

#include <gio/gio.h>
#include <stdbool.h>

struct item;

struct item_events {
    void (*activated)(void *owner);          /* a click that opens no menu */
    void (*hosted)(void *owner, bool shown); /* is there a panel that shows us? Told at each change */
};

struct item_look {
    const char *icon;    /* a name that the icon folder has */
    const char *words;   /* the same for who cannot see it */
    const char *title;   /* the tooltip's heading */
    const char *tooltip; /* plain text */
    bool attention;
};

/* `menu`: object path of the menu on the same connection. `icons`: where icon names are looked up. */
struct item *item_new(GDBusConnection *bus, const char *menu, const char *icons,
                      const struct item_events *events, void *owner);
void item_free(struct item *i);
/* Copies; says on the bus what has changed. */
void item_set(struct item *i, const struct item_look *look);

#endif
