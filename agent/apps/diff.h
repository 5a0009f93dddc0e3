/*
 * What changed between two texts, line by line: for people as a unified diff, for the journal as hunks from which the old text can be made again
 * without keeping a copy of it (a file may hold tokens in the lines that we do not touch). Pure; any thread.
 */
#ifndef EXEAT_APPS_DIFF_H
#define EXEAT_APPS_DIFF_H

#include "base/buf.h"

struct hunk { /* offsets in bytes, at the beginnings of lines */
    size_t old_at, old_n, new_at, new_n;
};

struct diff {
    struct hunk *hunks; /* in order, never touching each other */
    size_t n;
};

void diff_make(struct diff *d, struct span old, struct span new);
void diff_free(struct diff *d);

/* Unified, three lines around; nothing for equal texts. A name of NULL: the file is not there (/dev/null). */
void diff_print(struct buf *out, const char *old_name, struct span old, const char *new_name,
                struct span new);

#endif
