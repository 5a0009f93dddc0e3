/*
 * Requests counted by where they went, what let them in and how they ended, for the figures. A bounded number of rows: what comes beyond (a
 * configuration whose upstreams are renamed again and again) is counted together. Loop thread only.
 */
#ifndef EXEAT_RELAY_SUMS_H
#define EXEAT_RELAY_SUMS_H

#include <stdint.h>

#include "base/span.h"

#define SUMS_ROWS_MOST 200
#define SUMS_CLASSES   6 /* by the first digit of the status; 0: the client was told none */

struct sums_row {
    char *route, *scheme; /* scheme "": nothing was shown */
    uint64_t requests[SUMS_CLASSES];
};

struct sums {
    struct sums_row *rows;
    size_t n;
};

void sums_add(struct sums *t, struct span route, struct span scheme, unsigned status);
void sums_free(struct sums *t);

#endif
