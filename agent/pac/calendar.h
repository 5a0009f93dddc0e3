/*
 * The three functions of PAC files that look at the clock. Pure: the caller says what time it is, here and in Greenwich.
 * An argument that is no day, month, year or hour, or a sequence that no documented form has: false.
 */
#ifndef EXEAT_PAC_CALENDAR_H
#define EXEAT_PAC_CALENDAR_H

#include <time.h>

#include "base/span.h"

struct clock {
    struct tm here, gmt;
};

/* (day [, day] [, "GMT"]), days "SUN" to "SAT"; a range may run over the end of the week. */
bool weekday_range(const struct clock *clock, const struct span *args, size_t n);
/* Days 1 to 31, months "JAN" to "DEC", years: one of them, two of a kind, day and month twice, month and year twice, all three twice; a day of
   a month and a date alone too. [, "GMT"]. Ranges hold both their ends; without years they may run over the end of the month or year. */
bool date_range(const struct clock *clock, const struct span *args, size_t n);
/* (hour), (hour, hour), (hour, minute, hour, minute), (hour, minute, second, hour, minute, second) [, "GMT"]; may run over midnight. Both ends
   belong to it, and an hour or minute that is named last lasts to its end, as in browsers. */
bool time_range(const struct clock *clock, const struct span *args, size_t n);

#endif
