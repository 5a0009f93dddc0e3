/*
 * GNOME's settings, by the program gsettings: a key is "schema key", a value GVariant text as gsettings prints it. Blocking.
 */
#ifndef EXEAT_APPS_GSETTINGS_H
#define EXEAT_APPS_GSETTINGS_H

#include "base/buf.h"
#include "base/err.h"

/* Appends the value; `fallback`: the one that the schema has for those who never set it. */
bool gsettings_get(const char *key, bool fallback, struct buf *value, struct err *e);
/* Checks that it took. value NULL: back to the schema's. */
bool gsettings_set(const char *key, const char *value, struct err *e);

#endif
