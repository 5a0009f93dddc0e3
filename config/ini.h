/*
 * The syntax of a configuration file, without its meaning: a text as a run of section headers and pairs. Pure
 * functions, any thread.
 *
 *     # a comment: on its own line, or behind white space
 *     [section] or [section NAME]
 *     key = value
 *
 * A value is the rest of its line without white space at its ends. When it begins with a double quote, it is
 * what stands between that one and the closing one, where \" means " and \\ means \ (any other \ is itself).
 * Otherwise each character is itself: CORP\alice. In lists, which white space separates, the same holds for
 * each item. A # between double quotes never begins a comment. UTF-8 (a byte order mark is skipped); lines
 * end in LF or CR LF; control characters other than HTAB are refused. No length limits.
 */
#ifndef EXEAT_CONFIG_INI_H
#define EXEAT_CONFIG_INI_H

#include "base/buf.h"
#include "base/err.h"

enum ini_kind { INI_END, INI_SECTION, INI_PAIR, INI_BROKEN };

struct ini {
    struct span rest;
    unsigned line; /* number of the line that ini_next returned last, from 1 */
};

struct ini_line {
    struct span section, name; /* INI_SECTION; name is empty when there is none */
    struct span key, value;    /* INI_PAIR; value with its quotes: for ini_value or ini_item */
};

void ini_start(struct ini *ini, struct span text); /* the text must outlive what ini_next returns */
/* The next section header or pair. INI_BROKEN: *e says why, without file and line. Nothing of the line that
 * could be a secret is quoted. */
enum ini_kind ini_next(struct ini *ini, struct ini_line *line, struct err *e);

/* Whether the text is UTF-8 without control characters other than HTAB. */
bool ini_check(struct span text, struct err *e);

/* The whole value as one text, without its quotes, into `out` (cleared first). */
bool ini_value(struct span value, struct buf *out, struct err *e);
/* The next item of a list, taken off *rest, into `out` (cleared first). 1: there is one; 0: no more; -1: *e
 * says what is wrong. */
int ini_item(struct span *rest, struct buf *out, struct err *e);

/* Appends `text` so that ini_value (ini_item) reads it back: in quotes where it needs them. */
void ini_put_value(struct buf *out, struct span text);
void ini_put_item(struct buf *out, struct span text);

#endif
