/*
 * Small surgery on a file's text: offsets in, bytes out.
 */
#include "apps/text.h"

bool text_splice(struct buf *b, size_t at, size_t remove, struct span insert)
{
    if (insert.n > remove && !buf_reserve(b, insert.n - remove))
        return false;
    if (b->n > at + remove)
        memmove(b->p + at + insert.n, b->p + at + remove, b->n - at - remove);
    if (insert.n)
        memcpy(b->p + at, insert.p, insert.n);
    b->n = b->n - remove + insert.n;
    return true;
}

struct span text_newline(struct span text)
{
    size_t at = span_find(text, '\n');
    return at < text.n && at > 0 && text.p[at - 1] == '\r' ? SPAN("\r\n") : SPAN("\n");
}

size_t text_mark(struct span text)
{
    return span_starts(text, SPAN("\xef\xbb\xbf")) ? 3 : 0;
}

size_t text_line(struct span text, size_t at)
{
    size_t newline = span_rfind(span_head(text, at), '\n');
    return newline == at ? text_mark(text) : newline + 1;
}

size_t text_next_line(struct span text, size_t at)
{
    size_t length = span_find(span_from(text, at), '\n');
    return at + length < text.n ? at + length + 1 : text.n;
}

struct span text_rest_of_line(struct span text, size_t at)
{
    struct span line = span_head(span_from(text, at), text_next_line(text, at) - at);
    if (span_ends(line, SPAN("\n")))
        line.n--;
    if (span_ends(line, SPAN("\r")))
        line.n--;
    return line;
}

size_t text_skip_blanks(struct span text, size_t at)
{
    while (at < text.n && (text.p[at] == ' ' || text.p[at] == '\t'))
        at++;
    return at;
}

bool text_is_blank(struct span text)
{
    for (size_t i = text_mark(text); i < text.n; i++)
        if (!strchr(" \t\r\n", text.p[i]) || !text.p[i])
            return false;
    return true;
}

bool text_end_line(struct buf *b)
{
    struct span text = buf_span(b);
    if (text.n <= text_mark(text) || text.p[text.n - 1] == '\n')
        return true;
    return buf_add_span(b, text_newline(text));
}
