/*
 * The chunked coding (RFC 9112 section 7.1). A size line is read byte by byte, content in views of the
 * caller's input, the trailer section into a buffer with a ceiling. Extensions are checked and forgotten.
 * What is not exactly the grammar is refused: chunk sizes are where request smuggling hides when
 * Content-Length and Transfer-Encoding are watched.
 *
 * Pure; a struct chunked belongs to one body and one thread.
 */
#include "http/chunked.h"

#include <stdio.h>

#include "http/header.h"
#include "http/octet.h"

#define SIZE_DIGITS_MAX 16
#define EXTENSION_MAX   ((size_t)1024)      /* of one size line */
#define EXTENSIONS_MAX  ((size_t)16 * 1024) /* of one body */
static const struct head_limits trailer_limits = {.bytes = 64 * 1024, .target = 0, .fields = 100};

enum state {
    SIZE_FIRST, /* the first digit of a size must come */
    SIZE,
    EXTENSION_NAME, /* behind ';': a name must come */
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILERS,
    END,
    BAD,
};

void chunked_init(struct chunked *c)
{
    *c = (struct chunked){.state = SIZE_FIRST};
    buf_init(&c->line, trailer_limits.bytes);
}

void chunked_free(struct chunked *c)
{
    buf_free(&c->line);
    head_free(&c->trailers);
    *c = (struct chunked){.state = BAD, .why = "the decoder is closed"};
}

static int bad(struct chunked *c, const char *why)
{
    c->why = why;
    return BAD;
}

static unsigned hex_value(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
}

static int size_byte(struct chunked *c, char byte)
{
    if (octet_is(byte, OCTET_HEX)) {
        if (c->digits == SIZE_DIGITS_MAX || c->left > UINT64_MAX >> 5)
            return bad(c, "a chunk size is too large");
        c->digits++;
        c->left = c->left * 16 + hex_value(byte);
        return SIZE;
    }
    if (!c->digits)
        return bad(c, "a chunk does not begin with a hexadecimal size");
    if (byte == '\r')
        return SIZE_LF;
    if (byte == ';')
        return EXTENSION_NAME;
    return bad(c, "a chunk size is followed by something else than an extension or CRLF");
}

static int extension_byte(struct chunked *c, char byte)
{
    if (++c->extension > EXTENSION_MAX || ++c->extensions > EXTENSIONS_MAX)
        return bad(c, "chunk extensions are too long");
    if (c->state == EXTENSION_NAME) {
        if (byte == ' ' || byte == '\t')
            return EXTENSION_NAME;
        return octet_is(byte, OCTET_TOKEN) ? EXTENSION : bad(c, "a chunk extension has no name");
    }
    if (byte == '\r')
        return SIZE_LF;
    return octet_is(byte, OCTET_VALUE) ? EXTENSION
                                       : bad(c, "a control character stands in a chunk extension");
}

static int size_end(struct chunked *c, char byte)
{
    if (byte != '\n')
        return bad(c, "a chunk size does not end with CRLF");
    c->digits = 0;
    c->extension = 0;
    return c->left ? DATA : TRAILERS;
}

/* Everything but content and trailers goes through here, byte by byte. */
static int one_byte(struct chunked *c, char byte)
{
    switch (c->state) {
    case SIZE_FIRST:
    case SIZE:
        return size_byte(c, byte);
    case EXTENSION_NAME:
    case EXTENSION:
        return extension_byte(c, byte);
    case SIZE_LF:
        return size_end(c, byte);
    case DATA_CR:
        return byte == '\r' ? DATA_LF : bad(c, "a chunk is longer than its size says");
    default: /* DATA_LF */
        return byte == '\n' ? SIZE_FIRST : bad(c, "a chunk does not end with CRLF");
    }
}

/* Takes one line of the trailer section, or the part of it that is there. The empty line ends it. */
static int trailer_line(struct chunked *c, struct span *in)
{
    size_t eol = span_find(*in, '\n');
    bool whole = eol < in->n;
    struct span part = span_head(*in, eol + whole);
    if (!buf_add_span(&c->line, part))
        return bad(c, "the trailer section is too long");
    *in = span_from(*in, part.n);
    if (!whole)
        return TRAILERS;
    struct span line = buf_span(&c->line);
    if (!span_ends(line, SPAN("\r\n")))
        return bad(c, "a line of the trailer section ends with LF alone instead of CRLF");
    if (line.n > 2 && !span_ends(line, SPAN("\r\n\r\n")))
        return TRAILERS;
    struct fault fault;
    if (!head_read_fields(&c->trailers, line, &trailer_limits, &fault))
        return bad(c, fault.why);
    return END;
}

enum chunked_result chunked_read(struct chunked *c, struct span *in, struct span *data)
{
    for (;;) {
        if (c->state == END)
            return CHUNKED_END;
        if (c->state == BAD)
            return CHUNKED_BAD;
        if (!in->n)
            return CHUNKED_MORE;
        if (c->state == TRAILERS) {
            c->state = trailer_line(c, in);
        } else if (c->state == DATA) {
            *data = span_head(*in, c->left < in->n ? (size_t)c->left : in->n);
            *in = span_from(*in, data->n);
            c->left -= data->n;
            c->state = c->left ? DATA : DATA_CR;
            return CHUNKED_DATA;
        } else {
            c->state = one_byte(c, in->p[0]);
            *in = span_from(*in, 1);
        }
    }
}

size_t chunk_line(char *text, size_t size)
{
    return (size_t)snprintf(text, CHUNK_LINE_MAX, "%zx\r\n", size);
}

/* Not in trailers (RFC 9110 section 6.5.1): framing, routing, request and response control, authentication,
 * form of the content. */
static bool forbidden_in_trailers(struct span name)
{
    static const char *const names[] = {
        "Age",
        "Authorization",
        "Cache-Control",
        "Content-Encoding",
        "Content-Length",
        "Content-Range",
        "Content-Type",
        "Cookie",
        "Date",
        "Expect",
        "Expires",
        "Host",
        "If-Match",
        "If-Modified-Since",
        "If-None-Match",
        "If-Range",
        "Location",
        "Max-Forwards",
        "If-Unmodified-Since",
        "Pragma",
        "Range",
        "Retry-After",
        "Set-Cookie",
        "Trailer",
        "Vary",
        "Via",
        "WWW-Authenticate",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_ieq(name, span_str(names[i])))
            return true;
    return false;
}

bool chunk_end(struct buf *out, const struct head *trailers)
{
    size_t start = out->n;
    bool ok = buf_add_str(out, "0\r\n");
    for (size_t i = 0; trailers && ok && i < trailers->n_fields; i++) {
        const struct field *f = &trailers->fields[i];
        if (header_is_hop_by_hop(trailers, f->name) || forbidden_in_trailers(f->name))
            continue;
        ok = buf_add_span(out, f->name) && buf_add(out, ": ", 2) && buf_add_span(out, f->value) &&
             buf_add(out, "\r\n", 2);
    }
    ok = ok && buf_add(out, "\r\n", 2);
    if (!ok)
        out->n = start;
    return ok;
}
