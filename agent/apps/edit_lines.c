/*
 * The editor of whole lines: files of our own below somebody's .d directory, and a block at the end of a file like ssh's. The item is a
 * run of lines that stands exactly so; the key only labels it.
 */
#include "apps/edit.h"
#include "apps/text.h"

/* Where the lines begin, or text.n. Both with "\n" or both with "\r\n": a file whose line ends were changed was changed. */
static size_t find(struct span text, struct span lines)
{
    size_t at = text_mark(text);
    while (lines.n && at < text.n) {
        if (span_starts(span_from(text, at), lines))
            return at;
        at = text_next_line(text, at);
    }
    return text.n;
}

static bool get(const struct editor *editor, struct span text, const char *key, struct span wanted,
                struct span *value)
{
    (void)editor;
    (void)key;
    size_t at = find(text, wanted);
    *value = span_head(span_from(text, at), wanted.n);
    return wanted.n && value->n == wanted.n;
}

static bool put(const struct editor *editor, struct buf *text, const char *key, struct span value,
                struct err *e)
{
    struct span there;
    if (get(editor, buf_span(text), key, value, &there))
        return true;
    return (text_end_line(text) && buf_add_span(text, value)) ||
           err_set(e, ERR_LIMIT, "the file is too large");
}

static void drop(const struct editor *editor, struct buf *text, const char *key, struct span value,
                 bool prune)
{
    (void)editor;
    (void)key;
    (void)prune;
    size_t at = find(buf_span(text), value);
    if (at < text->n)
        text_splice(text, at, value.n, SPAN(""));
}

static bool holds(const struct editor *editor, struct span text, const char *key)
{
    (void)editor;
    (void)text;
    (void)key;
    return true;
}

const struct editor edit_lines = {"lines", get, put, drop, holds, NULL, NULL, NULL};
