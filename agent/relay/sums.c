/*
 * A short list, searched from its front.
 */
#include "relay/sums.h"

#include <stdlib.h>

#include "base/buf.h"

static struct sums_row *find(struct sums *t, struct span route, struct span scheme)
{
    for (size_t i = 0; i < t->n; i++)
        if (span_eq(span_str(t->rows[i].route), route) && span_eq(span_str(t->rows[i].scheme), scheme))
            return &t->rows[i];
    return NULL;
}

static struct sums_row *add_row(struct sums *t, struct span route, struct span scheme)
{
    t->rows = mem_grow(t->rows, (t->n + 1) * sizeof *t->rows);
    struct sums_row *row = &t->rows[t->n++];
    *row = (struct sums_row){.route = span_dup(route), .scheme = span_dup(scheme)};
    return row;
}

void sums_add(struct sums *t, struct span route, struct span scheme, unsigned status)
{
    static const struct span other = {"(others)", 8}, none = {"", 0};
    struct sums_row *row = find(t, route, scheme);
    if (!row && t->n < SUMS_ROWS_MOST - 1)
        row = add_row(t, route, scheme);
    if (!row)
        row = find(t, other, none);
    if (!row)
        row = add_row(t, other, none);
    row->requests[status / 100 < SUMS_CLASSES ? status / 100 : 0]++;
}

void sums_free(struct sums *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->rows[i].route);
        free(t->rows[i].scheme);
    }
    free(t->rows);
    *t = (struct sums){0};
}
