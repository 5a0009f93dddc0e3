/*
 * Notifications of the desktop (org.freedesktop.Notifications), with buttons where it shows such, and words in their place where not. GLib's main loop; one
 * thread.
 */
#ifndef EXEAT_TRAY_NOTIFY_H
#define EXEAT_TRAY_NOTIFY_H

#include <gio/gio.h>
#include <stdbool.h>

struct notify;

#define NOTIFY_NO_TAG (-1)

/* All are borrowed for the call. Plain text. */
struct notification {
    const char *topic; /* a later one of the same topic takes the place of this */
    const char *icon, *title, *text;
    bool urgent;
    const char *action, *label; /* the button; NULL: none */
    const char *instead;        /* a sentence for servers that have no buttons; NULL: none */
    const char *upstream;       /* that it is about; "" */
    int tag;                    /* the owner's */
};

struct notify_events {
    /* A button was pressed. */
    void (*chosen)(void *owner, const char *action, const char *upstream);
    /* It was not shown, and is forgotten. */
    void (*unheard)(void *owner, const struct notification *what);
    /* There is a server (again). */
    void (*heard)(void *owner);
};

struct notify *notify_new(GDBusConnection *bus, const struct notify_events *events, void *owner);
void notify_free(struct notify *n);
void notify_show(struct notify *n, const struct notification *what);
/* What is shown of that topic goes away. */
void notify_withdraw(struct notify *n, const char *topic);
/* No server, and none that could be started: what is shown now would be unheard. */
bool notify_is_deaf(const struct notify *n);

#endif
