/*
 * roff's rules: a backslash begins an escape, a dot or an apostrophe at the beginning of a line a command, and
 * plain -, ~, ^, ` and ' come out as typographic characters that nobody can paste into a shell.
 */
#include "manual/roff.h"

#include <string.h>

static const struct {
    char c;
    const char *written;
} escapes[] = {
    {'\\', "\\e"},  {'-', "\\-"},    {'~', "\\(ti"}, {'^', "\\(ha"},
    {'`', "\\(ga"}, {'\'', "\\(aq"}, {'"', "\\(dq"},
};

void roff_add(struct buf *out, struct span text)
{
    if (text.n && text.p[0] == '.')
        buf_add_str(out, "\\&");
    for (size_t i = 0; i < text.n; i++) {
        const char *written = NULL;
        for (size_t k = 0; k < sizeof escapes / sizeof *escapes; k++)
            if (escapes[k].c == text.p[i])
                written = escapes[k].written;
        if (written)
            buf_add_str(out, written);
        else
            buf_add(out, &text.p[i], 1);
    }
}

void roff_macro(struct buf *out, const char *macro, const char *text)
{
    buf_addf(out, ".%s \"", macro);
    roff_add(out, span_str(text));
    buf_add_str(out, "\"\n");
}

void roff_tag(struct buf *out, const char *text)
{
    buf_add_str(out, ".TP\n");
    roff_macro(out, "B", text);
}

void roff_paragraphs(struct buf *out, const char *text, bool indented)
{
    struct span rest = span_str(text);
    bool verbatim = false, apart = false;
    while (rest.n) {
        struct span line = span_cut(&rest, '\n');
        bool as_it_is = span_starts(line, SPAN(" "));
        if (verbatim && !as_it_is)
            buf_add_str(out, ".EE\n");
        if (apart && line.n)
            buf_add_str(out, indented ? ".IP\n" : ".PP\n");
        if (as_it_is && !verbatim)
            buf_add_str(out, ".EX\n");
        verbatim = as_it_is;
        apart = line.n == 0;
        if (line.n == 0)
            continue;
        roff_add(out, line);
        buf_add_str(out, "\n");
    }
    if (verbatim)
        buf_add_str(out, ".EE\n");
}

void roff_entries(struct buf *out, const char *title, const struct roff_entry *e)
{
    roff_macro(out, "SH", title);
    for (; e->name; e++) {
        roff_tag(out, e->name);
        roff_paragraphs(out, e->text, true);
    }
}
