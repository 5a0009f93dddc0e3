/*
 * From a file as it is now and a journal's entry to the file as it would be without us. Pure.
 */
#ifndef EXEAT_APPS_UNDO_H
#define EXEAT_APPS_UNDO_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

struct undone {
    struct buf text;
    bool exact;      /* nobody has changed it since: byte for byte what was there before us */
    struct buf left; /* keys that somebody has changed since, which stay: names with ", " between */
};

/* false with *e: the entry makes no sense. The caller calls undo_free in either case. */
bool undo_make(struct undone *u, const json_t *entry, struct span now, struct err *e);
void undo_free(struct undone *u);

#endif
