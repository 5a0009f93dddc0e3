/*
 * Where programs and their files are. One thread; reads the environment and directories.
 *
 * Alternatives are separated by "|". "$NAME" and "$NAME/rest": only when that variable is set, and then no others but those; "~" is the home directory, "~config"
 * $XDG_CONFIG_HOME or ~/.config. A star in the path before the last slash stands for each directory that fits. In front: "+" where a new file goes when none of the
 * alternatives is there (without it: the first), "?" only if its directory is there, "!" only if the file is there ("!$NAME": and then first of all, but the others count as well).
 */
#ifndef EXEAT_APPS_PLACES_H
#define EXEAT_APPS_PLACES_H

#include "base/buf.h"

struct places {
    char **at;
    size_t n;
};

/* The files that `paths` stands for: one, or each that fits a star. Absolute ones get `root` (NULL: none) in front. */
void places_find(struct places *p, const char *paths, const char *root);
void places_free(struct places *p);

/* Is one of these there? Words without a slash are commands, looked for in PATH and where the system's are; the others paths as above. */
bool places_any(const char *find, const char *root);

/* The home directory as HOME or the user database has it belongs to another user: what we write there would not be his. */
bool places_home_is_foreign(void);

#endif
