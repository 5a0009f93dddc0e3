/*
 * Deadlines of the main thread's poll loop: a sorted list, so that the loop wakes for the earliest one and never otherwise.
 * A deadline is embedded in what it guards; main thread only.
 */
#ifndef EXEAT_KEYS_DEADLINE_H
#define EXEAT_KEYS_DEADLINE_H

#include <stdint.h>

#include "base/list.h"

struct deadline {
    struct list node;
    int64_t at;                         /* milliseconds of the monotonic clock */
    void (*passed)(struct deadline *d); /* it is not set any more when this is called */
};

struct deadlines {
    struct list sorted;
};

int64_t now_ms(void); /* CLOCK_MONOTONIC */

void deadlines_init(struct deadlines *all);
void deadline_init(struct deadline *d, void (*passed)(struct deadline *d));
void deadline_set(struct deadlines *all, struct deadline *d, int64_t ms_from_now); /* set again: moved */
void deadline_unset(struct deadline *d);

/* Milliseconds for poll(2): -1 when none is set. */
int deadlines_wait(const struct deadlines *all);
void deadlines_run(struct deadlines *all);

#endif
