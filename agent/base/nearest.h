/*
 * "Did you mean ...?": the name of a table that a mistyped word most likely stands for. Works with any table:
 * offer its names one by one. No allocation; any thread. Letter case does not count as a difference.
 */
#ifndef EXEAT_BASE_NEAREST_H
#define EXEAT_BASE_NEAREST_H

#include "base/span.h"

struct nearest {
    struct span given;
    const char *name; /* the best so far; NULL: none is close enough to be what was meant */
    size_t distance;
};

void nearest_begin(struct nearest *n, struct span given);
/* `name` must outlive n->name. Of two that are equally close the first stays. */
void nearest_offer(struct nearest *n, const char *name);

#endif
