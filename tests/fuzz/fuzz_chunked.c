/*
 * The chunked coding: in one piece and in pieces of any size the same content, end and verdict; what was
 * decoded, encoded anew, is decoded to the same. The first byte is the size of the pieces.
 */
#include <stdlib.h>

#include "http/chunked.h"
#include "http/header.h"

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct result {
    struct chunked c;
    enum chunked_result end;
    struct buf body;
    size_t used;
};

static void decode(struct result *r, struct span in, size_t step)
{
    *r = (struct result){.end = CHUNKED_MORE};
    chunked_init(&r->c);
    while (r->end == CHUNKED_MORE && r->used < in.n) {
        struct span piece = span_head(span_from(in, r->used), step);
        size_t before = piece.n;
        struct span data;
        while ((r->end = chunked_read(&r->c, &piece, &data)) == CHUNKED_DATA) {
            CHECK(data.n && data.p >= in.p && data.p + data.n <= in.p + in.n);
            buf_add_span(&r->body, data);
        }
        CHECK(r->end != CHUNKED_MORE || !piece.n);
        CHECK(r->end != CHUNKED_BAD || r->c.why);
        r->used += before - piece.n;
    }
}

static void done(struct result *r)
{
    chunked_free(&r->c);
    buf_free(&r->body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (!n)
        return 0;
    struct span in = span_make((const char *)data + 1, n - 1);
    struct result whole;
    struct result parts;
    decode(&whole, in, in.n + 1);
    decode(&parts, in, (size_t)data[0] + 1);
    CHECK(parts.end == whole.end && parts.used == whole.used);
    CHECK(span_eq(buf_span(&parts.body), buf_span(&whole.body)));
    CHECK(parts.c.trailers.n_fields == whole.c.trailers.n_fields);
    if (whole.end == CHUNKED_END) {
        struct buf out = {0};
        char line[CHUNK_LINE_MAX];
        if (whole.body.n) {
            buf_add(&out, line, chunk_line(line, whole.body.n));
            buf_add_span(&out, buf_span(&whole.body));
            buf_add_str(&out, "\r\n");
        }
        CHECK(chunk_end(&out, &whole.c.trailers));
        struct result again;
        decode(&again, buf_span(&out), 3);
        CHECK(again.end == CHUNKED_END && again.used == out.n);
        CHECK(span_eq(buf_span(&again.body), buf_span(&whole.body)));
        for (size_t i = 0; i < again.c.trailers.n_fields; i++)
            CHECK(!header_is_hop_by_hop(&again.c.trailers, again.c.trailers.fields[i].name));
        done(&again);
        buf_free(&out);
    }
    done(&whole);
    done(&parts);
    return 0;
}
