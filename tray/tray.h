/*
 * The tray put together: the mirror of the agent, shown as an icon with a menu and by notifications; what is chosen there becomes a question to the agent or a
 * verb of exeat. GLib's main loop; one thread.
 */
#ifndef EXEAT_TRAY_TRAY_H
#define EXEAT_TRAY_TRAY_H

#include <gio/gio.h>

struct tray;

struct tray_settings {
    const char *control; /* path of the agent's control socket */
    const char *icons;   /* folder with the icon theme that has ours */
    const char *suffix;  /* "-symbolic", "-light", "-dark" */
    void (*quit)(void *owner);
    void *owner;
};

/* The settings are borrowed for as long as the tray lives. */
struct tray *tray_new(GDBusConnection *bus, const struct tray_settings *settings);
void tray_free(struct tray *t);

#endif
