/*
 * What exeat has written into other programs' files, and what is needed to undo it: apps.json in the state directory; for system-wide files in /var/lib/exeat. Of a file it keeps
 * the lines that were replaced, no copy. Blocking; held by one process at a time.
 *
 * An entry is an object: "app", "path", "editor", "existed", "old" and "new" (SHA-256 of the whole text), "hunks" ([offset and length in the new text,
 * what stood there]), "keys" ({"key", "ours", "was" or null, "prune"}). It is saved before the file is written. Beside the entries: "folders" that we made.
 */
#ifndef EXEAT_APPS_JOURNAL_H
#define EXEAT_APPS_JOURNAL_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

struct journal {
    char *path;
    int lock;        /* -1: only read */
    json_t *entries; /* array */
    json_t *folders; /* array of paths */
};

/* `for_system`: below `root`. `write` false: one that is not there, or may not be read, is empty. */
bool journal_open(struct journal *j, bool for_system, const char *root, bool write, struct err *e);
void journal_close(struct journal *j);
bool journal_save(struct journal *j, struct err *e);

/* The entry of that program and path, borrowed; NULL: none. */
json_t *journal_find(const struct journal *j, const char *app, const char *path);
/* Takes the place of the one with the same app and path; takes over `entry`. */
void journal_put(struct journal *j, json_t *entry);
void journal_remove(struct journal *j, const json_t *entry);

/* `made`: paths, a newline behind each. */
void journal_add_folders(struct journal *j, struct span made);
/* Removes the folders of ours that are empty now, and forgets those in which nothing of ours is left. */
void journal_clear_folders(struct journal *j);

/* Bytes that need not be UTF-8. */
json_t *journal_bytes(struct span bytes);
bool journal_read_bytes(const json_t *value, struct buf *out);   /* appends */
const char *journal_text(const json_t *entry, const char *name); /* "" when it is not there */

#endif
