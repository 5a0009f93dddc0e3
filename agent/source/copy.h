/*
 * The copy of one script on disk (kept.h), read and written in the pool. Each ends once, never inside its start, and not after copy_cancel;
 * a writing that has begun is carried out all the same.
 */
#ifndef EXEAT_SOURCE_COPY_H
#define EXEAT_SOURCE_COPY_H

#include "net/loop.h"
#include "source/kept.h"

struct copy;

/* NULL: there is none that is good. Whoever takes its parts leaves zeros. */
typedef void (*copy_read_fn)(void *owner, struct kept *kept);
typedef void (*copy_written_fn)(void *owner, bool good, const struct err *why);

struct copy *copy_read(struct loop *loop, const char *path, copy_read_fn done, void *owner);
struct copy *copy_write(struct loop *loop, const char *path, const struct kept *kept, copy_written_fn done,
                        void *owner);
void copy_cancel(struct copy *c); /* NULL is allowed */

#endif
