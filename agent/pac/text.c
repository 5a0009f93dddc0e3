/*
 * PAC files come from web servers that do not say how they are encoded, and from editors that put marks in front. Windows administrators write
 * UTF-8 with a mark, UTF-16, and Latin-1 in comments; a script with a byte that is no UTF-8 must run all the same.
 */
#include "pac/text.h"

#define BAD UINT32_MAX

/* The length of the sequence and its lowest character, by the first byte: RFC 3629 section 3. */
static const struct shape {
    unsigned char mask, lead, length;
    uint32_t least;
} shapes[] = {{0x80, 0x00, 1, 0}, {0xe0, 0xc0, 2, 0x80}, {0xf0, 0xe0, 3, 0x800}, {0xf8, 0xf0, 4, 0x10000}};

/* BAD: no good sequence begins here. */
static uint32_t utf8_next(struct span *s)
{
    unsigned char first = (unsigned char)s->p[0];
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const struct shape *shape = &shapes[i];
        if ((first & shape->mask) != shape->lead)
            continue;
        uint32_t c = first & (unsigned char)~shape->mask;
        if (s->n < shape->length)
            return BAD;
        for (size_t k = 1; k < shape->length; k++) {
            unsigned char next = (unsigned char)s->p[k];
            if ((next & 0xc0) != 0x80)
                return BAD;
            c = c << 6 | (next & 0x3f);
        }
        if (c < shape->least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return BAD;
        *s = span_from(*s, shape->length);
        return c;
    }
    return BAD;
}

uint32_t text_next(struct span *s)
{
    uint32_t c = utf8_next(s);
    if (c != BAD)
        return c;
    c = (unsigned char)s->p[0];
    *s = span_from(*s, 1);
    return c;
}

static bool is_utf8(struct span s)
{
    while (s.n)
        if (utf8_next(&s) == BAD)
            return false;
    return true;
}

static bool put_unit(struct buf *out, uint32_t unit)
{
    uint16_t u = (uint16_t)unit;
    return buf_add(out, &u, sizeof u);
}

static bool put_character(struct buf *out, uint32_t c)
{
    if (c < 0x10000)
        return put_unit(out, c);
    c -= 0x10000;
    return put_unit(out, 0xd800 | c >> 10) && put_unit(out, 0xdc00 | (c & 0x3ff));
}

/* An odd byte at the end is dropped. */
static bool from_utf16(struct span s, bool big, struct buf *out)
{
    for (; s.n >= 2; s = span_from(s, 2)) {
        unsigned char a = (unsigned char)s.p[0], b = (unsigned char)s.p[1];
        if (!put_unit(out, (uint32_t)(big ? a << 8 | b : b << 8 | a)))
            return false;
    }
    return true;
}

bool text_to_utf16(struct span bytes, struct buf *out)
{
    if (span_starts(bytes, SPAN("\xff\xfe")))
        return from_utf16(span_from(bytes, 2), false, out);
    if (span_starts(bytes, SPAN("\xfe\xff")))
        return from_utf16(span_from(bytes, 2), true, out);
    if (span_starts(bytes, SPAN("\xef\xbb\xbf")))
        bytes = span_from(bytes, 3);
    bool utf8 = is_utf8(bytes);
    while (bytes.n) {
        uint32_t c = utf8 ? utf8_next(&bytes) : (unsigned char)bytes.p[0];
        if (!utf8)
            bytes = span_from(bytes, 1);
        if (!put_character(out, c))
            return false;
    }
    return true;
}
