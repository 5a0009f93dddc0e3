/*
 * Views of bytes: comparison, searching, cutting. Pure functions, any thread.
 */
#include "base/span.h"

#include "base/buf.h"

static inline unsigned char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : (unsigned char)c;
}

bool span_eq(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool span_ieq(struct span a, struct span b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool span_starts(struct span s, struct span prefix)
{
    return s.n >= prefix.n && span_eq(span_head(s, prefix.n), prefix);
}

bool span_istarts(struct span s, struct span prefix)
{
    return s.n >= prefix.n && span_ieq(span_head(s, prefix.n), prefix);
}

bool span_ends(struct span s, struct span suffix)
{
    return s.n >= suffix.n && span_eq(span_from(s, s.n - suffix.n), suffix);
}

bool span_iends(struct span s, struct span suffix)
{
    return s.n >= suffix.n && span_ieq(span_from(s, s.n - suffix.n), suffix);
}

size_t span_find(struct span s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : s.n;
}

size_t span_rfind(struct span s, char c)
{
    const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : s.n;
}

static inline bool blank(char c)
{
    return c == ' ' || c == '\t';
}

struct span span_trim(struct span s)
{
    while (s.n && blank(s.p[0]))
        s = span_from(s, 1);
    while (s.n && blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

struct span span_cut(struct span *rest, char sep)
{
    size_t at = span_find(*rest, sep);
    struct span part = span_head(*rest, at);
    *rest = span_from(*rest, at + 1);
    return part;
}

struct span span_word(struct span *rest)
{
    size_t from = 0;
    while (from < rest->n && blank(rest->p[from]))
        from++;
    size_t to = from;
    while (to < rest->n && !blank(rest->p[to]))
        to++;
    struct span word = span_head(span_from(*rest, from), to - from);
    *rest = span_from(*rest, to);
    return word;
}

bool span_u64(struct span s, uint64_t *out)
{
    uint64_t value = 0;
    if (s.n == 0 || s.n > 19)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(s.p[i] - '0');
    }
    *out = value;
    return true;
}

char *span_dup(struct span s)
{
    char *copy = mem_alloc(s.n + 1);
    if (s.n)
        memcpy(copy, s.p, s.n);
    copy[s.n] = '\0';
    return copy;
}
