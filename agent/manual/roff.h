/*
 * Text as a manual page's source (man(7)): what would be taken for a command there is escaped. One thread.
 */
#ifndef EXEAT_MANUAL_ROFF_H
#define EXEAT_MANUAL_ROFF_H

#include "base/buf.h"

/* Words within a line. */
void roff_add(struct buf *out, struct span text);

/* A macro with one argument, in quotes, as a line: roff_macro(out, "SS", "exeat login"). */
void roff_macro(struct buf *out, const char *macro, const char *text);

/* A line of bold words in front of an indented paragraph. */
void roff_tag(struct buf *out, const char *text);

/* Lines of text; one that is empty parts paragraphs, those that begin with a space stay as they are (see
 * say_paragraphs). `indented`: inside a tagged paragraph. */
void roff_paragraphs(struct buf *out, const char *text, bool indented);

/* A section of tagged paragraphs; `e`: rows, name NULL at the end. */
struct roff_entry {
    const char *name, *text;
};
void roff_entries(struct buf *out, const char *title, const struct roff_entry *e);

#endif
