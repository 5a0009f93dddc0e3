/*
 * The process that listens between exeat and the practice proxy, prints what passes, and serves the practice page.
 */
#ifndef EXEAT_CLI_PRACTICE_EAR_H
#define EXEAT_CLI_PRACTICE_EAR_H

#include "cli/practice_place.h"
#include "http/head.h"

/* "    exeat -> the proxy, connection 1: with a token" and the head below it. `connection` 0: "    the program -> exeat:", and the head as long as it is. */
void ear_show(const char *from_to, unsigned connection, const struct head *h);

/* Until SIGTERM; leads from `tap` to the port of `proxy`. An exit code. */
int ear_run(const struct place_door *tap, const struct place_door *proxy, const struct place_door *page);

#endif
