/*
 * Directories of the user, beside those that config.h declares. Any thread, as long as none changes the
 * environment.
 */
#ifndef EXEAT_CONFIG_PATHS_H
#define EXEAT_CONFIG_PATHS_H

#include "base/err.h"

/* $HOME, else the one in the user database. NULL with *e. The caller frees. */
char *config_home_dir(struct err *e);
/* $XDG_CONFIG_HOME/exeat/exeat.conf, else ~/.config/exeat/exeat.conf. NULL with *e. The caller frees. */
char *config_user_file(struct err *e);

#define CONFIG_SYSTEM_FILE "/etc/exeat/exeat.conf"

#endif
