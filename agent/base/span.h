/*
 * A view of bytes that somebody else owns: pointer and length, never a terminating NUL.
 * Valid only as long as its owner keeps the bytes; pass by value. No function here allocates.
 * Letter case means ASCII case (RFC 9110 section 5.1), never the locale's.
 */
#ifndef EXEAT_BASE_SPAN_H
#define EXEAT_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const char *p;
    size_t n;
};

/* A span over a string literal. */
#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})
/* For printf("%.*s"): no NUL is needed. */
#define SPAN_ARG(s) (int)(s).n, (s).p ? (s).p : ""

static inline struct span span_make(const char *p, size_t n)
{
    return (struct span){p, n};
}

/* NULL gives the empty span. */
static inline struct span span_str(const char *s)
{
    return (struct span){s, s ? strlen(s) : 0};
}

/* The part from `at` on (clamped to the end). */
static inline struct span span_from(struct span s, size_t at)
{
    if (at > s.n)
        at = s.n;
    return (struct span){at ? s.p + at : s.p, s.n - at}; /* NULL + 0 is not defined in C */
}

/* The first `n` bytes (clamped). */
static inline struct span span_head(struct span s, size_t n)
{
    return (struct span){s.p, n < s.n ? n : s.n};
}

bool span_eq(struct span a, struct span b);
bool span_ieq(struct span a, struct span b); /* any ASCII case */
bool span_starts(struct span s, struct span prefix);
bool span_istarts(struct span s, struct span prefix);
bool span_ends(struct span s, struct span suffix);
bool span_iends(struct span s, struct span suffix);

/* Index of the first (last) `c`, or s.n when there is none. */
size_t span_find(struct span s, char c);
size_t span_rfind(struct span s, char c);

/* Without SP and HTAB at both ends (OWS, RFC 9110 section 5.6.3). */
struct span span_trim(struct span s);

/* Takes the bytes up to `sep` off the front of *rest (the separator goes too) and returns them. At the end: rest->n is 0. */
struct span span_cut(struct span *rest, char sep);

/* The next word between SP and HTAB, taken off *rest; empty when there is none. */
struct span span_word(struct span *rest);

/* Decimal digits alone (no sign, no space, 1 to 19 of them). false: not such a number, *out untouched. */
bool span_u64(struct span s, uint64_t *out);

/* A fresh NUL-terminated copy; the caller frees. Never NULL. */
char *span_dup(struct span s);

#endif
