/*
 * GNOME's proxy settings as `gsettings list-recursively org.gnome.system.proxy` prints them: a line for each key, with the value in GVariant's text form.
 * Pure; any thread.
 */
#ifndef EXEAT_SOURCE_GNOME_H
#define EXEAT_SOURCE_GNOME_H

#include "source/settings.h"

/* false: it does not say what the mode is; *s is empty. */
bool gnome_read(struct span listing, struct settings *s);

#endif
