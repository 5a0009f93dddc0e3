/*
 * Plain kinds of values: texts, words, numbers, durations, sizes, choices; and what the other kinds share.
 * Places (addresses, proxies) are in kinds_place.c, what concerns authentication in kinds_auth.c. A parse
 * function writes into a struct config that nobody else sees yet; whatever it allocates there belongs to the
 * config, also when it fails half-way. Any thread.
 */
#include "config/kinds.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/nearest.h"
#include "base/pattern.h"
#include "config/ini.h"
#include "config/paths.h"

struct shown shown(struct span text)
{
    struct shown s;
    size_t room = sizeof s.text - sizeof "\"...\"";
    size_t n = text.n;
    if (n > room)
        for (n = room; n > 0 && ((unsigned char)text.p[n] & 0xC0) == 0x80;)
            n--; /* not in the middle of a UTF-8 character */
    snprintf(s.text, sizeof s.text, "\"%.*s%s\"", (int)n, n ? text.p : "", n < text.n ? "..." : "");
    for (char *p = s.text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            *p = '?';
    return s;
}

int choice_find(const char *const *choices, struct span text, struct err *e)
{
    struct nearest near;
    nearest_begin(&near, text);
    for (int i = 0; choices[i]; i++) {
        if (span_eq(text, span_str(choices[i])))
            return i;
        if (strlen(choices[i]) > 2) /* "no" is near to "on" */
            nearest_offer(&near, choices[i]);
    }
    struct buf all;
    buf_init(&all, 0);
    for (int i = 0; choices[i]; i++)
        buf_addf(&all, "%s%s", i == 0 ? "" : choices[i + 1] ? ", " : " or ", choices[i]);
    if (text.n && text.p[text.n - 1] == ',')
        err_set(e, ERR_CONFIG, "%s is not %s; words are separated by blanks, without commas",
                shown(text).text, buf_cstr(&all));
    else if (near.name)
        err_set(e, ERR_CONFIG, "%s is not %s; did you mean \"%s\"?", shown(text).text, buf_cstr(&all),
                near.name);
    else
        err_set(e, ERR_CONFIG, "%s is not %s", shown(text).text, buf_cstr(&all));
    buf_free(&all);
    return -1;
}

char *path_absolute(struct span path, struct err *e)
{
    if (path.n > 1 && path.p[0] == '/')
        return span_dup(path);
    if (path.n < 3 || !span_starts(path, SPAN("~/"))) {
        err_set(e, ERR_CONFIG, "a path begins with / or ~/");
        return NULL;
    }
    char *home = config_home_dir(e);
    if (!home)
        return NULL;
    struct buf joined;
    buf_init(&joined, 0);
    buf_add_str(&joined, home);
    buf_add_span(&joined, span_from(path, 1));
    free(home);
    char *result = mem_strdup(buf_cstr(&joined));
    buf_free(&joined);
    return result;
}

static void *field(const struct setting *s, void *object)
{
    return (char *)object + s->at;
}

static const void *field_of(const struct setting *s, const void *object)
{
    return (const char *)object + s->at;
}

/* text */

static bool parse_text(const struct setting *s, void *object, struct span value, struct err *e)
{
    if (value.n == 0)
        return err_set(e, ERR_CONFIG, "the value is empty; leave the line out for %s",
                       s->absent ? s->absent : s->fallback);
    *(char **)field(s, object) = span_dup(value);
    return true;
}

static bool print_text(const struct setting *s, const void *object, struct buf *out)
{
    const char *text = *(char *const *)field_of(s, object);
    if (text)
        ini_put_value(out, span_str(text));
    return text != NULL;
}

const struct kind kind_text = {NULL, false, parse_text, print_text};

/* patterns for destinations */

static void add_word(char ***words, size_t *n, struct span word)
{
    *words = mem_grow(*words, (*n + 1) * sizeof **words);
    (*words)[(*n)++] = span_dup(word);
}

bool destinations_add(struct config *c, struct span word, struct err *e)
{
    add_word(&c->no_proxy, &c->n_no_proxy, word);
    return pattern_check(word, e);
}

static bool parse_destinations(const struct setting *s, void *object, struct span value, struct err *e)
{
    struct buf item;
    buf_init(&item, 0);
    int more = 0;
    bool ok = true;
    while (ok && (more = ini_item(&value, &item, e)) > 0) {
        add_word(field(s, object), (size_t *)((char *)object + s->also_at), buf_span(&item));
        ok = item.n ? pattern_check(buf_span(&item), e)
                    : err_set(e, ERR_CONFIG, "an item of the list is empty");
    }
    buf_free(&item);
    return ok && more == 0;
}

static bool print_destinations(const struct setting *s, const void *object, struct buf *out)
{
    char *const *words = *(char *const *const *)field_of(s, object);
    size_t n = *(const size_t *)((const char *)object + s->also_at);
    for (size_t i = 0; i < n; i++) {
        buf_add_str(out, i ? " " : "");
        ini_put_item(out, span_str(words[i]));
    }
    return true;
}

const struct kind kind_destinations = {NULL, true, parse_destinations, print_destinations};

/* Numbers with a unit */

struct unit {
    const char *name; /* the largest first, the one of 1 last */
    uint64_t of;
};

static const struct unit no_units[] = {{"", 1}};
static const struct unit time_units[] = {{"h", 3600}, {"m", 60}, {"s", 1}};
static const struct unit size_units[] = {{"M", 1 << 20}, {"K", 1 << 10}, {"", 1}};

/* Appends `value` in the largest unit that keeps it whole. */
static void put_number(struct buf *out, const struct unit *unit, uint64_t value)
{
    while (value % unit->of != 0 || (value == 0 && unit->of > 1))
        unit++;
    buf_addf(out, "%llu%s", (unsigned long long)(value / unit->of), value ? unit->name : "");
}

/* Digits and one of the units (any letter case). */
static bool read_number(struct span text, const struct unit *units, uint64_t *number, uint64_t *of)
{
    const struct unit *u = units;
    while (u->of > 1 && !span_iends(text, span_str(u->name)))
        u++;
    *of = u->of;
    if (span_iends(text, span_str(u->name)))
        text.n -= strlen(u->name);
    return span_u64(text, number);
}

static bool parse_number(const struct setting *s, const struct unit *units, struct span value, uint64_t *out,
                         struct err *e)
{
    uint64_t number = 0, of = 1;
    if (!read_number(value, units, &number, &of))
        return err_set(e, ERR_CONFIG, "%s is not %s", shown(value).text, s->kind->form);
    if (number <= s->most / of && number * of >= s->least) {
        *out = number * of;
        return true;
    }
    struct buf least, most;
    buf_init(&least, 0);
    buf_init(&most, 0);
    put_number(&least, units, s->least);
    put_number(&most, units, s->most);
    err_set(e, ERR_CONFIG, "%s is not between %s and %s", shown(value).text, buf_cstr(&least),
            buf_cstr(&most));
    buf_free(&least);
    buf_free(&most);
    return false;
}

static bool parse_unsigned(const struct setting *s, const struct unit *units, void *object, struct span value,
                           struct err *e)
{
    uint64_t number = 0;
    if (!parse_number(s, units, value, &number, e))
        return false;
    *(unsigned *)field(s, object) = (unsigned)number;
    return true;
}

static bool parse_count(const struct setting *s, void *object, struct span value, struct err *e)
{
    return parse_unsigned(s, no_units, object, value, e);
}

static bool print_count(const struct setting *s, const void *object, struct buf *out)
{
    put_number(out, no_units, *(const unsigned *)field_of(s, object));
    return true;
}

static bool parse_duration(const struct setting *s, void *object, struct span value, struct err *e)
{
    return parse_unsigned(s, time_units, object, value, e);
}

static bool print_duration(const struct setting *s, const void *object, struct buf *out)
{
    put_number(out, time_units, *(const unsigned *)field_of(s, object));
    return true;
}

static bool parse_size(const struct setting *s, void *object, struct span value, struct err *e)
{
    uint64_t number = 0;
    if (!parse_number(s, size_units, value, &number, e))
        return false;
    *(size_t *)field(s, object) = (size_t)number;
    return true;
}

static bool print_size(const struct setting *s, const void *object, struct buf *out)
{
    put_number(out, size_units, *(const size_t *)field_of(s, object));
    return true;
}

const struct kind kind_count = {"a number", false, parse_count, print_count};
const struct kind kind_duration = {"a duration (10, 10s, 5m, 1h)", false, parse_duration, print_duration};
const struct kind kind_size = {"a size (4096, 256K, 1M)", false, parse_size, print_size};

/* One of several words */

static bool parse_choice(const struct setting *s, void *object, struct span value, struct err *e)
{
    int choice = choice_find(s->choices, value, e);
    if (choice >= 0)
        *(int *)field(s, object) = choice;
    return choice >= 0;
}

static bool print_choice(const struct setting *s, const void *object, struct buf *out)
{
    buf_add_str(out, s->choices[*(const int *)field_of(s, object)]);
    return true;
}

static const char *const yes_no_choices[] = {"no", "yes", NULL};

static bool parse_yes_no(const struct setting *s, void *object, struct span value, struct err *e)
{
    int choice = choice_find(yes_no_choices, value, e);
    if (choice >= 0)
        *(bool *)field(s, object) = choice == 1;
    return choice >= 0;
}

static bool print_yes_no(const struct setting *s, const void *object, struct buf *out)
{
    buf_add_str(out, yes_no_choices[*(const bool *)field_of(s, object)]);
    return true;
}

const struct kind kind_choice = {NULL, false, parse_choice, print_choice};
const struct kind kind_yes_no = {"yes or no", false, parse_yes_no, print_yes_no};
