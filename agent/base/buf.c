/*
 * Owned bytes with a ceiling, and the allocation functions everybody uses. Any thread; a buf belongs to one at a time.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void *need(void *p)
{
    if (!p) {
        fputs("exeat: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *mem_alloc(size_t n)
{
    return need(malloc(n ? n : 1));
}

void *mem_zero(size_t n)
{
    return need(calloc(1, n ? n : 1));
}

void *mem_grow(void *p, size_t n)
{
    return need(realloc(p, n ? n : 1));
}

char *mem_strdup(const char *s)
{
    return s ? need(strdup(s)) : NULL;
}

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_free(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
    b->n = 0;
}

bool buf_reserve(struct buf *b, size_t more)
{
    size_t max = b->max ? b->max : BUF_MAX_DEFAULT;
    if (more > max || b->n > max - more)
        return false;
    size_t need_cap = b->n + more;
    if (need_cap <= b->cap)
        return true;
    size_t cap = b->cap ? b->cap : 256;
    while (cap < need_cap)
        cap *= 2;
    b->p = mem_grow(b->p, cap);
    b->cap = cap;
    return true;
}

bool buf_add(struct buf *b, const void *p, size_t n)
{
    if (!buf_reserve(b, n))
        return false;
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    return true;
}

bool buf_add_span(struct buf *b, struct span s)
{
    return buf_add(b, s.p, s.n);
}

bool buf_add_str(struct buf *b, const char *s)
{
    return buf_add(b, s, strlen(s));
}

bool buf_addf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || !buf_reserve(b, (size_t)n + 1))
        return false;
    va_start(args, format);
    vsnprintf(b->p + b->n, (size_t)n + 1, format, args);
    va_end(args);
    b->n += (size_t)n;
    return true;
}

void buf_drop(struct buf *b, size_t n)
{
    if (n >= b->n) {
        b->n = 0;
        return;
    }
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

const char *buf_cstr(struct buf *b)
{
    size_t max = b->max;
    b->max = (max ? max : BUF_MAX_DEFAULT) + 1; /* the NUL is ours, not the peer's */
    buf_reserve(b, 1);
    b->max = max;
    b->p[b->n] = '\0';
    return b->p;
}
