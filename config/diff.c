/*
 * What a reload has changed, setting by setting, in words: values as a file could have them, from the table of settings, so that a
 * new setting is a line here by itself. The text of a command is not shown (config_print hides it too). Any thread.
 */
#include <stdlib.h>

#include "config/kinds.h"
#include "config/whole.h"

#define VALUE_SHOWN ((size_t)300) /* bytes of one value */

struct difference {
    struct buf *out;
    size_t lines;
};

static void put_section(struct difference *d, const struct section *section, const char *name)
{
    buf_addf(d->out, "[%s%s%s]", section->name, *name ? " " : "", name);
    d->lines++;
}

/* A setting of several lines is printed as lines of a file: here they stand in one. */
static void put_value(struct buf *out, const struct setting *s, struct span value)
{
    struct span shown = span_head(value, VALUE_SHOWN);
    struct buf between = {0};
    buf_addf(&between, "\n%s = ", s->name);
    if (!value.n)
        buf_add_str(out, "(empty)");
    while (shown.n) {
        struct span line = span_head(shown, span_find(shown, '\n'));
        buf_add_span(out, line);
        shown = span_from(shown, line.n);
        if (!shown.n)
            break;
        buf_add_str(out, "; ");
        shown = span_from(shown, span_starts(shown, buf_span(&between)) ? between.n : 1);
    }
    if (value.n > VALUE_SHOWN)
        buf_add_str(out, " ...");
    buf_free(&between);
}

static void put_side(struct buf *out, const struct setting *s, bool set, const struct buf *value)
{
    if (set)
        put_value(out, s, buf_span(value));
    else
        buf_add_str(out, "not set");
}

/* Values that are printed alike and are not the same. */
static bool differ_unseen(const struct setting *s, const void *before, const void *after)
{
    if (s->kind != &kind_secret)
        return false;
    const struct config_upstream *a = before, *b = after;
    return !span_eq(span_str(a->secret_argument), span_str(b->secret_argument));
}

static void compare_setting(struct difference *d, const struct section *section, const char *name,
                            const struct setting *s, const void *before, const void *after)
{
    struct buf old = {0}, new = {0};
    bool was = s->kind->print(s, before, &old), is = s->kind->print(s, after, &new);
    bool same = was == is && span_eq(buf_span(&old), buf_span(&new));
    if (!same || differ_unseen(s, before, after)) {
        put_section(d, section, name);
        buf_addf(d->out, " %s: ", s->name);
        if (same) {
            buf_add_str(d->out, "changed (it is not shown)");
        } else {
            put_side(d->out, s, was, &old);
            buf_add_str(d->out, " -> ");
            put_side(d->out, s, is, &new);
        }
        buf_add_str(d->out, "\n");
    }
    buf_free(&old);
    buf_free(&new);
}

static void compare_section(struct difference *d, const struct section *section, const char *name,
                            const void *before, const void *after)
{
    for (size_t i = 0; i < n_settings; i++)
        if (strcmp(settings[i].section, section->name) == 0)
            compare_setting(d, section, name, &settings[i], before, after);
}

/* Those of `a` that `b` does not have. */
static void put_lone(struct difference *d, const struct section *section, const struct config_whole *a,
                     const struct config_whole *b, const char *what)
{
    size_t at;
    for (size_t i = 0; i < named_count(a, section); i++) {
        const char *name = named_name(a, section, i);
        if (named_find(b, section, span_str(name), &at))
            continue;
        put_section(d, section, name);
        buf_addf(d->out, " %s\n", what);
    }
}

static void compare_named(struct difference *d, const struct section *section,
                          const struct config_whole *before, const struct config_whole *after)
{
    size_t at;
    put_lone(d, section, before, after, "removed");
    put_lone(d, section, after, before, "added");
    for (size_t i = 0; i < named_count(after, section); i++) {
        const char *name = named_name(after, section, i);
        if (named_find(before, section, span_str(name), &at))
            compare_section(d, section, name, named_object(before, section, at),
                            named_object(after, section, i));
    }
}

/* The one that stands first gets what no rule names. */
static void compare_first(struct difference *d, const struct config *before, const struct config *after)
{
    const char *was = before->upstreams[0].name, *is = after->upstreams[0].name;
    if (strcmp(was, is) == 0)
        return;
    buf_addf(d->out, "what no rule names: [upstream %s] -> [upstream %s]\n", was, is);
    d->lines++;
}

size_t config_diff(const struct config *before, const struct config *after, struct buf *out)
{
    struct difference d = {.out = out};
    const struct config_whole *old = (const struct config_whole *)before;
    const struct config_whole *new = (const struct config_whole *)after;
    for (size_t i = 0; i < n_sections; i++) {
        if (sections[i].named)
            compare_named(&d, &sections[i], old, new);
        else
            compare_section(&d, &sections[i], "", before, after);
    }
    compare_first(&d, before, after);
    return d.lines;
}
