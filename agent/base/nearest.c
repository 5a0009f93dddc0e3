/*
 * The nearest name: edit distance where a letter left out, put in, replaced, or two neighbours swapped cost
 * one each (optimal string alignment), by three rows of the usual table. Close enough is a third of the
 * letters, and one at least; a beginning of the name counts as one mistake, so that "stat" finds "status".
 * Any thread; no memory of its own.
 */
#include "base/nearest.h"

/* Longer words are not typing mistakes of a name of ours. */
#define NEAREST_LONGEST 64

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t edit_distance(struct span a, struct span b)
{
    size_t rows[3][NEAREST_LONGEST + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.n; j++)
        last[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            char x = lower(a.p[i - 1]), y = lower(b.p[j - 1]);
            row[j] = least(least(last[j] + 1, row[j - 1] + 1), last[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == lower(b.p[j - 2]) && y == lower(a.p[i - 2]))
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b.n];
}

void nearest_begin(struct nearest *n, struct span given)
{
    size_t allowed = given.n / 3 > 1 ? given.n / 3 : 1;
    *n = (struct nearest){.given = given, .distance = allowed + 1};
}

void nearest_offer(struct nearest *n, const char *name)
{
    struct span offered = span_str(name);
    if (n->given.n == 0 || n->given.n > NEAREST_LONGEST || offered.n > NEAREST_LONGEST)
        return;
    size_t distance = edit_distance(n->given, offered);
    if (distance >= offered.n)
        return; /* not one letter in common: "h" is not "w" */
    if (n->given.n > 1 && span_istarts(offered, n->given))
        distance = least(distance, 1);
    if (distance < n->distance) {
        n->distance = distance;
        n->name = name;
    }
}
