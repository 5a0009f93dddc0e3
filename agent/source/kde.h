/*
 * KDE's proxy settings: the section [Proxy Settings] of kioslaverc. Pure; any thread.
 */
#ifndef EXEAT_SOURCE_KDE_H
#define EXEAT_SOURCE_KDE_H

#include "source/settings.h"

/* Also of an empty text: KDE's default is no proxy. `variable`: a variable of the environment, or NULL; for settings that name variables. */
void kde_read(struct span text, const char *(*variable)(const char *name), struct settings *s);

#endif
