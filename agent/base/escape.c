/*
 * Escaping, for the log of requests and the figures.
 */
#include "base/escape.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* What the first byte says: how long, and which second bytes are the shortest form of a character that there is (RFC 3629 section 4). */
static const struct {
    unsigned char from, to, length, second_from, second_to;
} forms[] = {
    {0x00, 0x7F, 1, 0, 0},       {0xC2, 0xDF, 2, 0x80, 0xBF}, {0xE0, 0xE0, 3, 0xA0, 0xBF},
    {0xE1, 0xEC, 3, 0x80, 0xBF}, {0xED, 0xED, 3, 0x80, 0x9F}, {0xEE, 0xEF, 3, 0x80, 0xBF},
    {0xF0, 0xF0, 4, 0x90, 0xBF}, {0xF1, 0xF3, 4, 0x80, 0xBF}, {0xF4, 0xF4, 4, 0x80, 0x8F},
};

size_t escape_utf8(struct span text)
{
    const unsigned char *p = (const unsigned char *)text.p;
    for (size_t i = 0; text.n && i < sizeof forms / sizeof *forms; i++) {
        if (p[0] < forms[i].from || p[0] > forms[i].to)
            continue;
        if (text.n < forms[i].length ||
            (forms[i].length > 1 && (p[1] < forms[i].second_from || p[1] > forms[i].second_to)))
            return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if ((p[k] & 0xC0) != 0x80)
                return 0;
        return forms[i].length;
    }
    return 0;
}

struct span escape_head(struct span text, size_t most)
{
    if (text.n <= most)
        return text;
    while (most && (text.p[most] & 0xC0) == 0x80)
        most--;
    return span_head(text, most);
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7F;
}

/* What needs no care in any form, at the front of the text: most of it. */
static struct span next_plain(struct span *text)
{
    size_t n = 0;
    while (n < text->n && text->p[n] > 0x20 && text->p[n] < 0x7F && text->p[n] != '"' && text->p[n] != '\\')
        n++;
    struct span plain = span_head(*text, n);
    *text = span_from(*text, n);
    return plain;
}

/* Valid characters one by one, or U+FFFD for a byte that is none. */
static struct span next_character(struct span *text)
{
    size_t n = escape_utf8(*text);
    struct span c = n ? span_head(*text, n) : SPAN(REPLACEMENT);
    *text = span_from(*text, n ? n : 1);
    return c;
}

void escape_json(struct buf *out, struct span text)
{
    for (buf_add_span(out, next_plain(&text)); text.n; buf_add_span(out, next_plain(&text))) {
        struct span c = next_character(&text);
        if (c.n == 1 && is_control(*c.p))
            buf_addf(out, "\\u%04x", (unsigned char)*c.p);
        else if (c.n == 1 && (*c.p == '"' || *c.p == '\\'))
            buf_addf(out, "\\%c", *c.p);
        else
            buf_add_span(out, c);
    }
}

void escape_label(struct buf *out, struct span text)
{
    while (text.n) {
        struct span c = next_character(&text);
        if (c.n == 1 && is_control(*c.p))
            buf_add_str(out, "?");
        else if (c.n == 1 && (*c.p == '"' || *c.p == '\\'))
            buf_addf(out, "\\%c", *c.p);
        else
            buf_add_span(out, c);
    }
}

static void put_ascii(struct buf *out, char c, bool quoted)
{
    bool mark = c == '"' || c == '\\';
    if (quoted && mark)
        buf_addf(out, "\\%c", c);
    else if (mark || is_control(c) || (unsigned char)c >= 0x80 || (!quoted && c == ' '))
        buf_addf(out, "\\x%02x", (unsigned char)c);
    else
        buf_add(out, &c, 1);
}

void escape_quoted(struct buf *out, struct span text)
{
    for (buf_add_span(out, next_plain(&text)); text.n; buf_add_span(out, next_plain(&text))) {
        put_ascii(out, *text.p, true);
        text = span_from(text, 1);
    }
}

void escape_word(struct buf *out, struct span text)
{
    if (!text.n)
        buf_add_str(out, "-");
    for (size_t i = 0; i < text.n; i++)
        put_ascii(out, text.p[i], false);
}
