/*
 * Text of anybody's, made fit to stand in a line of ours. Pure functions, any thread.
 */
#ifndef EXEAT_BASE_ESCAPE_H
#define EXEAT_BASE_ESCAPE_H

#include "base/buf.h"

/* The inside of a JSON string (RFC 8259 section 7). What is not UTF-8 becomes U+FFFD, byte by byte. */
void escape_json(struct buf *out, struct span text);
/* Between double quotes in a web server's log: control bytes and those beyond ASCII as \xHH, quotes and backslashes behind a backslash. */
void escape_quoted(struct buf *out, struct span text);
/* A word of such a line that has no quotes: blanks and all the above as \xHH; "-" for nothing. */
void escape_word(struct buf *out, struct span text);
/* The value of a label in OpenMetrics: as in JSON, but that only three characters are escaped; control characters become '?'. */
void escape_label(struct buf *out, struct span text);

/* How many bytes the first character of `text` has in UTF-8 (RFC 3629); 0: it is none. */
size_t escape_utf8(struct span text);
/* The front of `text`, `most` bytes at most, that ends with a whole character. */
struct span escape_head(struct span text, size_t most);

#endif
