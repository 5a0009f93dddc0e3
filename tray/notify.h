/*
 * Notifications of the desktop (org.freedesktop.Notifications), with buttons where it shows such. GLib's main loop; one thread.
 */
#ifndef EXEAT_TRAY_NOTIFY_H
#define EXEAT_TRAY_NOTIFY_H

#include <gio/gio.h>
#include <stdbool.h>

struct notify;

/* `action` as given to notify_show, with what belongs to it. */
typedef void (*notify_chosen)(void *owner, const char *action, const char *upstream);

struct notify *notify_new(GDBusConnection *bus, notify_chosen chosen, void *owner);
void notify_free(struct notify *n);
/* `topic`: a later one of the same topic takes the place of this. `action` NULL: no button. Plain text. */
void notify_show(struct notify *n, const char *topic, const char *icon, bool urgent, const char *title,
                 const char *text, const char *action, const char *label, const char *upstream);

#endif
