/*
 * Bytes that we own: grows by doubling up to a hard ceiling, so that no peer can make us grow without end.
 * The owner calls buf_free. Memory exhaustion ends the process with a sentence (mem_alloc): nothing here returns NULL.
 */
#ifndef EXEAT_BASE_BUF_H
#define EXEAT_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct buf {
    char *p;
    size_t n;   /* bytes in use */
    size_t cap; /* bytes allocated */
    size_t max; /* the ceiling in bytes; 0: BUF_MAX_DEFAULT */
};

#define BUF_MAX_DEFAULT ((size_t)64 << 20)

/* malloc, calloc, realloc and strdup that end the process instead of returning NULL. */
void *mem_alloc(size_t n);
void *mem_zero(size_t n);
void *mem_grow(void *p, size_t n);
char *mem_strdup(const char *s); /* NULL gives NULL */

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);  /* gives the memory back; b is empty and usable again */
void buf_clear(struct buf *b); /* n = 0, keeps the memory */

/* false: the ceiling would be passed; nothing was added. */
bool buf_reserve(struct buf *b, size_t more);
bool buf_add(struct buf *b, const void *p, size_t n);
bool buf_add_span(struct buf *b, struct span s);
bool buf_add_str(struct buf *b, const char *s);
bool buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Takes n bytes off the front (clamped). */
void buf_drop(struct buf *b, size_t n);

static inline struct span buf_span(const struct buf *b)
{
    return span_make(b->p, b->n);
}

/* The bytes with a NUL behind them (not counted in n); valid until the next change. */
const char *buf_cstr(struct buf *b);

#endif
