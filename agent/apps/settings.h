/*
 * Setting and unsetting a program whose row has settings instead of files. One thread.
 */
#ifndef EXEAT_APPS_SETTINGS_H
#define EXEAT_APPS_SETTINGS_H

#include "apps/apps.h"
#include "apps/journal.h"

/* Tells a->out what it has done, or with dry_run would do. APP_NOT: *e says why. */
enum app_result settings_set(struct apps *a, const struct app *app, struct journal *journal, struct err *e);
/* What somebody has changed since stays, and is named. `entry`: of the journal, whose owner removes it after true. */
bool settings_unset(struct apps *a, const struct app *app, json_t *entry, struct err *e);

#endif
