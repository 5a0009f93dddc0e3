/*
 * Lines compared by the greedy method of Myers (1986), which is quick when few lines differ, as they do here. Texts that differ in more than some
 * hundred lines make one hunk from the first to the last of them.
 */
#include "apps/diff.h"

#include <stdlib.h>

#define EDITS_MOST 300
#define AROUND     3

struct lines {
    struct span *at;
    size_t n;
};

static struct lines split(struct span text)
{
    struct lines l = {0};
    size_t cap = 0;
    while (text.n) {
        size_t n = span_find(text, '\n');
        n = n < text.n ? n + 1 : n;
        if (l.n == cap)
            l.at = mem_grow(l.at, (cap = cap ? cap * 2 : 64) * sizeof *l.at);
        l.at[l.n++] = span_head(text, n);
        text = span_from(text, n);
    }
    return l;
}

/* The furthest x on each diagonal after 0, 1, ... edits; enough of them to walk back. */
static bool search(const struct lines *a, const struct lines *b, size_t skip, size_t n, size_t m, long **rows,
                   long *edits)
{
    for (long d = 0; d <= EDITS_MOST; d++) {
        long *v = rows[d] = mem_zero((size_t)(2 * d + 3) * sizeof *v); /* v[k + d + 1] */
        const long *before = d ? rows[d - 1] : NULL;                   /* before[k + d] */
        for (long k = -d; k <= d; k += 2) {
            long x = d == 0                                                         ? 0
                     : k == -d || (k != d && before[k - 1 + d] < before[k + 1 + d]) ? before[k + 1 + d]
                                                                                    : before[k - 1 + d] + 1;
            while (x < (long)n && x - k < (long)m && x - k >= 0 &&
                   span_eq(a->at[skip + (size_t)x], b->at[skip + (size_t)(x - k)]))
                x++;
            v[k + d + 1] = x;
            if (x >= (long)n && x - k >= (long)m) {
                *edits = d;
                return true;
            }
        }
    }
    return false;
}

/* Marks in match[] (by line of the old text: its line in the new one, SIZE_MAX: none) what the way found by search keeps. */
static void walk_back(long **rows, long edits, size_t skip, size_t n, size_t m, size_t *match)
{
    long x = (long)n, y = (long)m;
    for (long d = edits; d >= 0; d--) {
        long k = x - y, px = 0, py = 0;
        if (d > 0) {
            const long *before = rows[d - 1];
            bool down = k == -d || (k != d && before[k - 1 + d] < before[k + 1 + d]);
            long pk = down ? k + 1 : k - 1;
            px = before[pk + d];
            py = px - pk;
        }
        while (x > px && y > py)
            match[skip + (size_t)--x] = skip + (size_t)--y;
        x = px;
        y = py;
    }
}

static void match_lines(const struct lines *a, const struct lines *b, size_t *match)
{
    size_t head = 0, tail = 0;
    while (head < a->n && head < b->n && span_eq(a->at[head], b->at[head]))
        match[head] = head, head++;
    while (tail < a->n - head && tail < b->n - head &&
           span_eq(a->at[a->n - 1 - tail], b->at[b->n - 1 - tail]))
        tail++, match[a->n - tail] = b->n - tail;
    size_t n = a->n - head - tail, m = b->n - head - tail;
    long *rows[EDITS_MOST + 1] = {0}, edits;
    if (n && m && search(a, b, head, n, m, rows, &edits))
        walk_back(rows, edits, head, n, m, match);
    for (size_t i = 0; i <= EDITS_MOST; i++)
        free(rows[i]);
}

static size_t offset(struct span text, const struct lines *l, size_t line)
{
    return line < l->n ? (size_t)(l->at[line].p - text.p) : text.n;
}

void diff_make(struct diff *d, struct span old, struct span new)
{
    struct lines a = split(old), b = split(new);
    size_t *match = mem_alloc((a.n + 1) * sizeof *match), j = 0;
    for (size_t i = 0; i <= a.n; i++)
        match[i] = SIZE_MAX;
    *d = (struct diff){0};
    match_lines(&a, &b, match);
    for (size_t i = 0; i < a.n || j < b.n;) {
        if (i < a.n && match[i] == j) {
            i++, j++;
            continue;
        }
        size_t from = i, begin = j;
        while (i < a.n && match[i] == SIZE_MAX)
            i++;
        j = i < a.n ? match[i] : b.n;
        d->hunks = mem_grow(d->hunks, (d->n + 1) * sizeof *d->hunks);
        struct hunk *h = &d->hunks[d->n++];
        h->old_at = offset(old, &a, from);
        h->old_n = offset(old, &a, i) - h->old_at;
        h->new_at = offset(new, &b, begin);
        h->new_n = offset(new, &b, j) - h->new_at;
    }
    free(match);
    free(a.at);
    free(b.at);
}

void diff_free(struct diff *d)
{
    free(d->hunks);
    *d = (struct diff){0};
}

static size_t count_lines(struct span text)
{
    size_t n = 0;
    while (text.n) {
        size_t line = span_find(text, '\n');
        text = span_from(text, line < text.n ? line + 1 : line);
        n++;
    }
    return n;
}

static void print_lines(struct buf *out, char sign, struct span text)
{
    while (text.n) {
        size_t n = span_find(text, '\n');
        buf_addf(out, "%c", sign);
        buf_add_span(out, span_head(text, n));
        buf_add_str(out, n < text.n ? "\n" : "\n\\ No newline at end of file\n");
        text = span_from(text, n < text.n ? n + 1 : n);
    }
}

/* `from` moved `lines` lines back, or forward. */
static size_t back(struct span text, size_t from, size_t least, size_t lines)
{
    while (lines-- && from > least) {
        size_t newline = span_rfind(span_head(text, from - 1), '\n');
        from = newline == from - 1 ? 0 : newline + 1;
    }
    return from < least ? least : from;
}

static size_t forward(struct span text, size_t from, size_t most, size_t lines)
{
    while (lines-- && from < most) {
        size_t n = span_find(span_from(text, from), '\n');
        from += n < text.n - from ? n + 1 : n;
    }
    return from > most ? most : from;
}

static void print_range(struct buf *out, char sign, struct span text, size_t from, size_t to)
{
    size_t n = count_lines(span_make(text.p + from, to - from)), first = count_lines(span_head(text, from));
    buf_addf(out, n == 1 ? "%c%zu" : "%c%zu,%zu", sign, n ? first + 1 : first, n);
}

/* Hunks first ... last, whose surroundings meet. */
static void print_group(struct buf *out, struct span old, struct span new, const struct hunk *first,
                        const struct hunk *last)
{
    size_t from = back(old, first->old_at, 0, AROUND), end = last->old_at + last->old_n;
    size_t to = forward(old, end, old.n, AROUND);
    size_t new_from = first->new_at - (first->old_at - from),
           new_to = last->new_at + last->new_n + (to - end);
    buf_add_str(out, "@@ ");
    print_range(out, '-', old, from, to);
    buf_add_str(out, " ");
    print_range(out, '+', new, new_from, new_to);
    buf_add_str(out, " @@\n");
    for (const struct hunk *h = first; h <= last; h++) {
        print_lines(out, ' ', span_make(old.p + from, h->old_at - from));
        print_lines(out, '-', span_make(old.p + h->old_at, h->old_n));
        print_lines(out, '+', span_make(new.p + h->new_at, h->new_n));
        from = h->old_at + h->old_n;
    }
    print_lines(out, ' ', span_make(old.p + from, to - from));
}

/* A tab ends a name with blanks in it, as diff does it: else patch takes what is behind the blank for a date. */
static void print_name(struct buf *out, const char *sign, const char *name)
{
    buf_addf(out, "%s %s%s\n", sign, name ? name : "/dev/null", name && strchr(name, ' ') ? "\t" : "");
}

void diff_print(struct buf *out, const char *old_name, struct span old, const char *new_name, struct span new)
{
    struct diff d;
    old.p = old.p ? old.p : "";
    new.p = new.p ? new.p : "";
    diff_make(&d, old, new);
    if (d.n || !old_name || !new_name) {
        print_name(out, "---", old_name);
        print_name(out, "+++", new_name);
    }
    for (size_t i = 0; i < d.n;) {
        size_t last = i;
        while (last + 1 < d.n && count_lines(span_make(old.p + d.hunks[last].old_at + d.hunks[last].old_n,
                                                       d.hunks[last + 1].old_at - d.hunks[last].old_at -
                                                           d.hunks[last].old_n)) <= 2 * AROUND)
            last++;
        print_group(out, old, new, &d.hunks[i], &d.hunks[last]);
        i = last + 1;
    }
    diff_free(&d);
}
