/*
 * A look at a file that others write: has it changed since the last look? One look at a time, in the pool; ends once, never inside
 * look_start, and not after look_cancel.
 */
#ifndef EXEAT_SOURCE_LOOK_H
#define EXEAT_SOURCE_LOOK_H

#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/work.h"

enum look_result {
    LOOK_SAME,
    LOOK_NEW,    /* `bytes` has it */
    LOOK_ABSENT, /* there is no such file */
    LOOK_FAILED, /* `why` */
};

struct look_seen { /* which file it was; all zero: none yet */
    bool any;
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

struct look {
    enum look_result result;
    struct look_seen seen;
    struct buf bytes;
    struct err why;
    char *path;
};
/* Lent for the call. */
typedef void (*looked_fn)(void *owner, const struct look *look);

struct looking;

/* `most`: bytes; a larger file fails. */
struct looking *look_start(struct loop *loop, const char *path, size_t most, const struct look_seen *seen,
                           looked_fn looked, void *owner);
void look_cancel(struct looking *l);

#endif
