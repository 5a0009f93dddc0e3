/*
 * Cache-Control first, then Expires, and Age off either. What cannot be read counts as not there, but for Expires, where it means the past
 * (RFC 9111 section 5.3). All numbers come from a stranger and are bounded before anything is done with them.
 */
#include "source/freshness.h"

#define SECONDS_MOST ((int64_t)1 << 31) /* RFC 9111 section 1.2.2 */

/* --- dates --- */

/* Days since 1970 of a date in the Gregorian calendar; month from 1. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t y = month > 2 ? year : year - 1; /* years whose 29th of February, if any, has passed */
    return 365 * (year - 1970) + (y / 4 - y / 100 + y / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400) +
           before[month - 1] + day - 1;
}

static bool digits(struct span s, int64_t least, int64_t most, int64_t *out)
{
    uint64_t n;
    if (!span_u64(s, &n) || n > (uint64_t)most || (int64_t)n < least)
        return false;
    *out = (int64_t)n;
    return true;
}

static bool month_of(struct span s, int64_t *out)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int64_t i = 0; s.n == 3 && i < 12; i++)
        if (memcmp(s.p, names + 3 * i, 3) == 0) {
            *out = i + 1;
            return true;
        }
    return false;
}

static bool clock_of(struct span s, int64_t *out)
{
    int64_t hour, minute, second;
    if (s.n != 8 || s.p[2] != ':' || s.p[5] != ':' || !digits(span_head(s, 2), 0, 23, &hour) ||
        !digits(span_head(span_from(s, 3), 2), 0, 59, &minute) || !digits(span_from(s, 6), 0, 60, &second))
        return false;
    *out = hour * 3600 + minute * 60 + second;
    return true;
}

/* Two digits mean the year that is at most 50 years ahead. */
static int64_t whole_year(int64_t two, int64_t now)
{
    int64_t this_year = 1970 + now / 31556952, year = this_year - this_year % 100 + two;
    return year > this_year + 50 ? year - 100 : year <= this_year - 50 ? year + 100 : year;
}

/* The parts of each form, in the order day, month, year, time: by their place among the words (dashes part words too). */
bool http_date(struct span text, int64_t now, int64_t *seconds)
{
    struct span words[7] = {{0}};
    size_t n = 0;
    for (size_t i = 0; i < text.n && n < 7;) {
        size_t end = i;
        while (end < text.n && text.p[end] != ' ' && (text.p[end] != '-' || n == 0))
            end++;
        if (end > i)
            words[n++] = span_make(text.p + i, end - i);
        i = end + 1;
    }
    bool asctime = n == 5 && span_find(words[0], ',') == words[0].n;
    if (!asctime && (n != 6 || !span_eq(words[5], SPAN("GMT")) || !span_ends(words[0], SPAN(","))))
        return false;
    struct span day_text = asctime ? words[2] : words[1], month_text = asctime ? words[1] : words[2];
    struct span year_text = asctime ? words[4] : words[3], clock_text = asctime ? words[3] : words[4];
    int64_t day, month, year, clock;
    if (!digits(day_text, 1, 31, &day) || !month_of(month_text, &month) ||
        !digits(year_text, 0, 9999, &year) || !clock_of(clock_text, &clock))
        return false;
    if (year_text.n == 2)
        year = whole_year(year, now);
    if (year < 1970)
        return false;
    *seconds = days_of(year, month, day) * 86400 + clock;
    return true;
}

/* --- lifetimes --- */

/* delta-seconds, in quotes or not: what is too large is a very long time. */
static bool delta(struct span s, int64_t *out)
{
    if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
        s = span_make(s.p + 1, s.n - 2);
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    uint64_t n;
    *out = span_u64(s, &n) && n < (uint64_t)SECONDS_MOST ? (int64_t)n : SECONDS_MOST;
    return s.n > 0;
}

static bool cache_control(const struct head *h, int64_t *lifetime)
{
    bool told = false;
    for (const struct field *f = head_field(h, "Cache-Control"); f; f = head_field_next(h, f)) {
        struct span rest = f->value, member;
        while (list_next(&rest, &member)) {
            struct span name = span_trim(span_head(member, span_find(member, '=')));
            int64_t seconds;
            if (span_ieq(name, SPAN("no-store")) || span_ieq(name, SPAN("no-cache"))) {
                *lifetime = 0;
                return true;
            }
            if (span_ieq(name, SPAN("max-age")) &&
                delta(span_trim(span_from(member, span_find(member, '=') + 1)), &seconds) &&
                (!told || seconds < *lifetime)) {
                *lifetime = seconds;
                told = true;
            }
        }
    }
    return told;
}

static bool expires(const struct head *h, int64_t now, int64_t *lifetime)
{
    const struct field *f = head_field(h, "Expires"), *date = head_field(h, "Date");
    int64_t end, begin;
    if (!f)
        return false;
    if (!date || !http_date(date->value, now, &begin))
        begin = now;
    *lifetime = http_date(f->value, now, &end) && end > begin ? end - begin : 0;
    return true;
}

unsigned freshness(const struct head *h, int64_t now)
{
    int64_t lifetime, age = 0;
    const struct field *f = head_field(h, "Age");
    if (!cache_control(h, &lifetime) && !expires(h, now, &lifetime))
        return FRESH_DEFAULT;
    if (f && delta(f->value, &age))
        lifetime -= age;
    return lifetime < FRESH_LEAST ? FRESH_LEAST : lifetime > FRESH_MOST ? FRESH_MOST : (unsigned)lifetime;
}
