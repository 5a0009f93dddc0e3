/*
 * What exeat doctor prints: a line for each step as soon as it is walked, or one JSON object at the end. One thread.
 */
#ifndef EXEAT_CLI_DOCTOR_SHOW_H
#define EXEAT_CLI_DOCTOR_SHOW_H

#include "cli/doctor.h"

struct show {
    json_t *steps; /* NULL: lines */
    bool utf8;
    size_t columns; /* 0: lines stay whole */
};

void show_begin(struct show *s, bool json);
/* `proxy`: whom it is about, where there are several; NULL: that is plain. */
void show_finding(const struct show *s, const char *name, const struct finding *f, const char *proxy);
/* `whole`: nothing had to be left out. */
void show_end(struct show *s, const char *url, enum exit_code code, unsigned faults, bool whole);

#endif
