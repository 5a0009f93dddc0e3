/*
 * Bytes from the other side of a socket pair, in pieces. The first byte of the input says how large the pieces are. Each frame that comes out is
 * written again: what was taken, joined, must be the front of what was fed, whatever the pieces.
 */
#include <stdlib.h>

#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t piece = data[0] + (size_t)1;
    struct span fed = span_make((const char *)data + 1, size - 1), rest = fed, body;
    struct frame_reader r;
    struct buf again;
    int state = 0;
    frame_reader_init(&r);
    buf_init(&again, 0);
    while (rest.n && state >= 0 && frame_reader_feed(&r, span_head(rest, piece))) {
        rest = span_from(rest, piece);
        while ((state = frame_reader_next(&r, &body)) == 1) {
            size_t begin = frame_begin(&again);
            buf_add_span(&again, body);
            if (!frame_end(&again, begin))
                abort();
            frame_reader_drop(&r);
        }
    }
    if (!span_starts(fed, buf_span(&again)))
        abort();
    frame_reader_free(&r);
    buf_free(&again);
    return 0;
}
