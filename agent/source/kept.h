/*
 * The last good copy of a script on disk, with what is needed to ask whether it still holds. One file for each source, named by a hash, mode
 * 0600, replaced at once or not at all. What is damaged, or not ours alone, is as if it were not there. kept_read and kept_write block: for the pool.
 */
#ifndef EXEAT_SOURCE_KEPT_H
#define EXEAT_SOURCE_KEPT_H

#include "base/buf.h"
#include "base/err.h"

struct kept {
    char *from;                      /* the URL behind all redirects */
    char *etag, *modified, *charset; /* as in the answer's head; NULL: none */
    int64_t seen;                    /* seconds since 1970 when it was last what the source had */
    struct buf script;
};

#define KEPT_DIGEST 65 /* SHA-256 as text, with a NUL */
void kept_digest(struct span bytes, char hex[KEPT_DIGEST]);

void kept_free(struct kept *k); /* what is in it */

/* The whole file. */
void kept_encode(const struct kept *k, struct buf *out);
/* false: it is no such file, or damaged; *k is empty. */
bool kept_decode(struct span bytes, struct kept *k);

/* Path of the copy of the source of that name. */
void kept_path(const char *folder, const char *source, struct buf *out);
bool kept_read(const char *path, struct kept *k);
bool kept_write(const char *path, struct span bytes, struct err *e);

#endif
