/*
 * Frames: a length and that many bytes. The reader keeps what has arrived in one buffer, lends the frame at
 * its front, and wipes it when it is done with; the bytes that are left move to the front only when more
 * arrive, so that a run of small frames costs no copying. Frames may hold secrets, so memory grows here by
 * our own hand: the old place is wiped before it is released. Pure functions on their arguments; a reader
 * belongs to one thread at a time.
 */
#include "wire/frame.h"

#include <stdlib.h>

#include "base/secret.h"

#define WAITING_MAX (2 * (FRAME_LENGTH_BYTES + FRAME_MAX))
#define NO_ROOM     SIZE_MAX

static void put_length(char *p, size_t n)
{
    for (size_t i = 0; i < FRAME_LENGTH_BYTES; i++)
        p[i] = (char)(n >> (8 * (FRAME_LENGTH_BYTES - 1 - i)));
}

static size_t get_length(const char *p)
{
    size_t n = 0;
    for (size_t i = 0; i < FRAME_LENGTH_BYTES; i++)
        n = n << 8 | (unsigned char)p[i];
    return n;
}

bool frame_reserve(struct buf *out, size_t more)
{
    size_t max = out->max ? out->max : BUF_MAX_DEFAULT;
    if (more > max || out->n > max - more)
        return false;
    if (out->n + more <= out->cap)
        return true;
    struct buf bigger;
    buf_init(&bigger, out->max);
    buf_reserve(&bigger, out->n + more);
    buf_add(&bigger, out->p, out->n);
    secret_wipe(out->p, out->cap);
    free(out->p);
    *out = bigger;
    return true;
}

void frame_reader_init(struct frame_reader *r)
{
    buf_init(&r->bytes, WAITING_MAX);
    r->at = 0;
}

void frame_reader_free(struct frame_reader *r)
{
    secret_wipe(r->bytes.p, r->bytes.cap);
    buf_free(&r->bytes);
    r->at = 0;
}

/* Moves what is left to the front, and wipes the place it came from. */
static void close_gap(struct frame_reader *r)
{
    if (r->at == 0)
        return;
    size_t before = r->bytes.n;
    buf_drop(&r->bytes, r->at);
    secret_wipe(r->bytes.p + r->bytes.n, before - r->bytes.n);
    r->at = 0;
}

bool frame_reader_feed(struct frame_reader *r, struct span bytes)
{
    close_gap(r);
    if (!frame_reserve(&r->bytes, bytes.n))
        return false;
    buf_add_span(&r->bytes, bytes);
    struct span body;
    return frame_reader_next(r, &body) >= 0;
}

int frame_reader_next(struct frame_reader *r, struct span *body)
{
    struct span waiting = span_from(buf_span(&r->bytes), r->at);
    if (waiting.n < FRAME_LENGTH_BYTES)
        return 0;
    size_t n = get_length(waiting.p);
    if (n == 0 || n > FRAME_MAX)
        return -1;
    if (waiting.n - FRAME_LENGTH_BYTES < n)
        return 0;
    *body = span_make(waiting.p + FRAME_LENGTH_BYTES, n);
    return 1;
}

void frame_reader_drop(struct frame_reader *r)
{
    struct span body;
    if (frame_reader_next(r, &body) != 1)
        return;
    secret_wipe(r->bytes.p + r->at, FRAME_LENGTH_BYTES + body.n);
    r->at += FRAME_LENGTH_BYTES + body.n;
}

size_t frame_begin(struct buf *out)
{
    size_t begin = out->n;
    if (!frame_reserve(out, FRAME_LENGTH_BYTES))
        return NO_ROOM;
    buf_add(out, "\0\0\0\0", FRAME_LENGTH_BYTES);
    return begin;
}

bool frame_end(struct buf *out, size_t begin)
{
    if (begin == NO_ROOM)
        return false;
    size_t n = out->n - begin - FRAME_LENGTH_BYTES;
    if (n > 0 && n <= FRAME_MAX) {
        put_length(out->p + begin, n);
        return true;
    }
    secret_wipe(out->p + begin, out->n - begin);
    out->n = begin;
    return false;
}
