/*
 * The chunked coding (RFC 9112 section 7.1): a decoder that hands out views of its input without copying, strict on sizes and line
 * ends, with ceilings on extensions and trailers; and the few bytes that encode. Extensions are dropped. Pure.
 */
#ifndef EXEAT_HTTP_CHUNKED_H
#define EXEAT_HTTP_CHUNKED_H

#include "http/head.h"

enum chunked_result {
    CHUNKED_MORE, /* the input is used up, the body goes on */
    CHUNKED_DATA, /* *data is a piece of content, inside the input */
    CHUNKED_END,  /* the body has ended; *in holds what follows it; chunked_trailers is complete */
    CHUNKED_BAD,  /* not the coding: close the connection */
};

struct chunked {
    int state;
    uint64_t left;    /* bytes of the current chunk still to come */
    unsigned digits;  /* of the current size */
    size_t extension; /* bytes of extension seen in this size line (at most 1 KiB; 16 KiB in all) */
    size_t extensions;
    struct buf line;      /* trailer section so far */
    struct head trailers; /* only its fields are set */
    const char *why;      /* after CHUNKED_BAD */
};

void chunked_init(struct chunked *c);
void chunked_free(struct chunked *c);
/* Takes bytes off the front of *in. Call again until it says MORE, END or BAD. */
enum chunked_result chunked_read(struct chunked *c, struct span *in, struct span *data);

/* "1a2b\r\n" for a chunk of that size, into text (at least CHUNK_LINE_MAX bytes); returns its length. Behind the data goes CRLF. */
#define CHUNK_LINE_MAX 20
size_t chunk_line(char *text, size_t size);
/* `trailers` may be NULL; false: the ceiling of `out`, nothing was added. The end: "0\r\n", the trailers that may be forwarded (no framing, routing or authentication fields: RFC 9110 section 6.5.1), "\r\n". */
bool chunk_end(struct buf *out, const struct head *trailers);

#endif
