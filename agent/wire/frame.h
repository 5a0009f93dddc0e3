/*
 * Frames between our programs over a stream socket: a 4-byte length (network order), then that many bytes.
 * Neither side trusts the other: a frame over FRAME_MAX or of length 0 is a fault and ends the connection. No
 * sockets here. Frames may hold secrets: everything released here is wiped first.
 */
#ifndef EXEAT_WIRE_FRAME_H
#define EXEAT_WIRE_FRAME_H

#include "base/buf.h"

#define FRAME_MAX          ((size_t)1 << 20)
#define FRAME_LENGTH_BYTES ((size_t)4)

struct frame_reader {
    struct buf bytes;
    size_t at; /* bytes at the front that are done with, and wiped */
};

void frame_reader_init(struct frame_reader *r);
void frame_reader_free(struct frame_reader *r);
/* false: the next frame announces a forbidden length, or more is waiting than two whole frames (take what is
   complete before feeding more, then this cannot happen to a peer that keeps the rules); end the connection.
   Frames lent before are no longer valid. */
bool frame_reader_feed(struct frame_reader *r, struct span bytes);
/* 1: *body is the next frame, lent until frame_reader_drop; 0: not complete yet; -1: the other side broke the
 * rules. */
int frame_reader_next(struct frame_reader *r, struct span *body);
/* Done with the frame that frame_reader_next lent: wipes and removes it. */
void frame_reader_drop(struct frame_reader *r);

/* Reserves the length at the front of a new frame in `out`, and fills it in when the body is complete.
   false from frame_end: the body is empty or over FRAME_MAX, or `out` is at its ceiling; `out` is as it was
   before frame_begin. */
size_t frame_begin(struct buf *out);
bool frame_end(struct buf *out, size_t begin);

/* Room for `more` bytes, without leaving a copy of what `out` holds in released memory, as buf_reserve would.
   false: the ceiling of `out` would be passed. Whoever builds a frame with a secret in it asks for all the
   room first. The owner of `out` wipes it after sending. */
bool frame_reserve(struct buf *out, size_t more);

#endif
