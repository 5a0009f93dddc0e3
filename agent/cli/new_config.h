/*
 * A configuration that exeat writes for the first time, and the password that goes with it. For import and setup. Blocking; one thread.
 */
#ifndef EXEAT_CLI_NEW_CONFIG_H
#define EXEAT_CLI_NEW_CONFIG_H

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "cli/exit.h"

/* `wanted`, else the user's own exeat.conf. NULL with *e. The caller frees. */
char *new_config_path(const char *wanted, struct err *e);
/* Whether it could be written there; a file that exists only with `force`. */
bool new_config_may(const char *path, bool force, struct err *e);
/* Mode 0600, whole or not at all; directories above it are made. Looks again at what may be. A file that was there is kept beside it, under the name that
   is left in *kept; `kept` NULL: it was ours, and is not. */
bool new_config_write(const char *path, struct span text, bool force, struct buf *kept, struct err *e);
/* Says that it is written, and where the one before is. */
void new_config_say(const char *path, struct span kept);

/* An agent runs: a login would go to it, whatever configuration it has. */
bool new_config_agent_runs(void);
/* As "exeat login": the secret of the upstream is tried once, and stored when it was not refused; says how that went. For a time when no agent runs. */
int new_config_login(const char *path, const char *upstream, const struct secret *secret);

#endif
