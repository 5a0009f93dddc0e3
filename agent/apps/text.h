/*
 * Small surgery on a file's text: replace a part, find line ends. Bytes, not characters; no file is touched. Any thread.
 */
#ifndef EXEAT_APPS_TEXT_H
#define EXEAT_APPS_TEXT_H

#include "base/buf.h"

/* `insert` in place of the `remove` bytes at `at`; false: the ceiling of *b would be passed, nothing was changed. `insert` is not part of *b. */
bool text_splice(struct buf *b, size_t at, size_t remove, struct span insert);

/* How lines end in it, by the first that ends: "\r\n" or "\n". */
struct span text_newline(struct span text);
/* Bytes of the byte order mark at the beginning: 3 or 0. */
size_t text_mark(struct span text);
/* The beginning of the line that `at` is in; where the next begins (text.n behind the last). */
size_t text_line(struct span text, size_t at);
size_t text_next_line(struct span text, size_t at);
/* The line from `at` on without its "\n" or "\r\n". */
struct span text_rest_of_line(struct span text, size_t at);
size_t text_skip_blanks(struct span text, size_t at); /* over SP and HTAB */
bool text_is_blank(struct span text);                 /* nothing but white space */
/* A newline at the end where the last line has none. */
bool text_end_line(struct buf *b);

#endif
