/*
 * Files of other programs, read whole and replaced whole: a new file beside the old one, its owner and mode, and a rename, so that nobody ever sees
 * half of one. Symbolic links are followed to the file that they stand for. Blocking; one thread.
 */
#ifndef EXEAT_APPS_FILE_H
#define EXEAT_APPS_FILE_H

#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"

#define FILE_MOST ((size_t)16 << 20) /* bytes */

struct file {
    char *path; /* where it is, or will be; no symbolic link */
    bool existed;
    struct stat st; /* when it existed */
    struct buf text;
};

/* `root` NULL or "": none; else the file may not be outside of it. false with *e (nothing is to be freed): it is no plain file of ours, or too large. One
   that is not there is read as the empty text. */
bool file_read(struct file *f, const char *path, const char *root, struct err *e);
/* Only to look: a file that could not be replaced will do. */
bool file_peek(struct file *f, const char *path, struct err *e);
void file_free(struct file *f);

/* Directories above `path` that are not there, made with `mode`; their names are appended to *made, newline behind each, from the top down. */
bool file_make_folders(const char *path, mode_t mode, struct buf *made, struct err *e);

/* `mode`: of a file that did not exist. One that did keeps owner, mode, access lists and attributes, and is left alone when somebody has changed it since
   it was read. */
bool file_write(const struct file *f, struct span text, mode_t mode, struct err *e);
/* Removes what an earlier run left beside `path` that was killed; for whoever holds the journal, for then none runs. file_write does it, too. */
void file_sweep(const char *path);
bool file_remove(const struct file *f, struct err *e);

/* 32 bytes of SHA-256 as 64 hexadecimal digits and a NUL. */
void file_digest(struct span text, char digest[65]);

#endif
