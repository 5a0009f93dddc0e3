/*
 * The environment that points programs at the agent, and the words in which each shell sets it. What was there before travels in one variable of the same
 * environment, so that it can be put back exactly.
 */
#ifndef EXEAT_CLI_SHELL_H
#define EXEAT_CLI_SHELL_H

#include "apps/aim.h"

struct shell;

/* By name ("bash", "fish", "pwsh") or path; NULL: the one that has started us, else $SHELL, else sh. NULL with *e: none that we know. */
const struct shell *shell_named(const char *name, struct err *e);

/* Statements for `eval` that set the variables, or that put back what was there before (false: nothing was changed, there is nothing to put back). */
void shell_set(const struct shell *shell, const struct aim *t, struct buf *out);
bool shell_undo(const struct shell *shell, struct buf *out);

/* In our own environment, for a program that we become. */
void environment_set(const struct aim *t);

#endif
