/*
 * Days, dates and times as ranges of numbers: each moment becomes one number with the greatest unit on top, and so do both ends of the range.
 */
#include "pac/calendar.h"

#define ARGUMENTS_MAX 6

static const char *const days[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};
static const char *const months[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                     "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};

static int find_name(const char *const *names, size_t n, struct span text)
{
    for (size_t i = 0; i < n; i++)
        if (span_ieq(text, span_str(names[i])))
            return (int)i;
    return -1;
}

/* Takes "GMT" off the end of the arguments: whose clock to look at. */
static const struct tm *take_zone(const struct clock *clock, const struct span *args, size_t *n)
{
    if (*n == 0 || !span_ieq(args[*n - 1], SPAN("GMT")))
        return &clock->here;
    --*n;
    return &clock->gmt;
}

/* `wraps`: a range that ends before it begins runs over the end, and is what is outside the reversed one. */
static bool between(long now, long from, long to, bool wraps)
{
    if (from <= to || !wraps)
        return from <= now && now <= to;
    return now >= from || now <= to;
}

bool weekday_range(const struct clock *clock, const struct span *args, size_t n)
{
    const struct tm *tm = take_zone(clock, args, &n);
    if (n < 1 || n > 2)
        return false;
    int from = find_name(days, 7, args[0]), to = find_name(days, 7, args[n - 1]);
    return from >= 0 && to >= 0 && between(tm->tm_wday, from, to, true);
}

/* --- dates --- */

enum { DAY = 1, MONTH = 2, YEAR = 4 };

struct date {
    unsigned parts; /* of DAY, MONTH, YEAR: those that are given */
    int day, month, year;
};

/* The part that an argument is; 0: none. */
static unsigned read_part(struct span text, struct date *date)
{
    uint64_t number;
    int month = find_name(months, 12, text);
    if (month >= 0) {
        date->month = month;
        return MONTH;
    }
    if (!span_u64(text, &number) || number < 1 || number > 9999)
        return 0;
    if (number <= 31)
        date->day = (int)number;
    else
        date->year = (int)number;
    return number <= 31 ? DAY : YEAR;
}

/* The arguments of one date, in the order day, month, year. */
static bool read_date(const struct span *args, size_t n, struct date *date)
{
    *date = (struct date){0};
    for (size_t i = 0; i < n; i++) {
        unsigned part = read_part(args[i], date);
        if (part <= date->parts) /* none, or one that does not follow upon those before it */
            return false;
        date->parts |= part;
    }
    return n > 0 && date->parts != (DAY | YEAR);
}

static long date_number(const struct date *date, unsigned parts)
{
    return (parts & YEAR ? date->year * 10000L : 0) + (parts & MONTH ? date->month * 100L : 0) +
           (parts & DAY ? date->day : 0);
}

bool date_range(const struct clock *clock, const struct span *args, size_t n)
{
    const struct tm *tm = take_zone(clock, args, &n);
    const struct date now = {.day = tm->tm_mday, .month = tm->tm_mon, .year = tm->tm_year + 1900};
    struct date from, to;
    if (n == 0 || n > ARGUMENTS_MAX)
        return false;
    if (read_date(args, n, &from))
        to = from;
    else if (n % 2 || !read_date(args, n / 2, &from) || !read_date(args + n / 2, n / 2, &to) ||
             from.parts != to.parts)
        return false;
    return between(date_number(&now, from.parts), date_number(&from, from.parts),
                   date_number(&to, from.parts), !(from.parts & YEAR));
}

/* --- times --- */

bool time_range(const struct clock *clock, const struct span *args, size_t n)
{
    const struct tm *tm = take_zone(clock, args, &n);
    static const uint64_t most[] = {23, 59, 59};
    uint64_t ends[2][3] = {{0, 0, 0}, {23, 59, 59}};
    if (n != 1 && n != 2 && n != 4 && n != 6)
        return false;
    size_t each = n == 1 ? 1 : n / 2;
    for (size_t i = 0; i < n; i++)
        if (!span_u64(args[i], &ends[i / each][i % each]) || ends[i / each][i % each] > most[i % each])
            return false;
    if (n == 1)
        ends[1][0] = ends[0][0];
    long seconds[2];
    for (size_t i = 0; i < 2; i++)
        seconds[i] = (long)(ends[i][0] * 3600 + ends[i][1] * 60 + ends[i][2]);
    return between(tm->tm_hour * 3600L + tm->tm_min * 60L + (tm->tm_sec > 59 ? 59 : tm->tm_sec), seconds[0],
                   seconds[1], true);
}
