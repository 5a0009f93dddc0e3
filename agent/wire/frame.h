/*
 * Frames between our programs over a stream socket: a 4-byte length (network order), then that many bytes. Neither side trusts
 * the other: a frame over FRAME_MAX or of length 0 is a fault and ends the connection. No sockets here. Frames may hold secrets: everything
 * released here is wiped first.
 */
#ifndef EXEAT_WIRE_FRAME_H
#define EXEAT_WIRE_FRAME_H

#include "base/buf.h"

#define FRAME_MAX ((size_t)1 << 20)

struct frame_reader {
    struct buf bytes;
};

void frame_reader_init(struct frame_reader *r);
void frame_reader_free(struct frame_reader *r);
/* false: more is waiting than a frame may hold; end the connection. */
bool frame_reader_feed(struct frame_reader *r, struct span bytes);
/* 1: *body is the next frame, lent until frame_reader_drop; 0: not complete yet; -1: the other side broke the rules. */
int frame_reader_next(struct frame_reader *r, struct span *body);
/* Done with the frame that frame_reader_next lent: wipes and removes it. */
void frame_reader_drop(struct frame_reader *r);

/* Reserves the length at the front of a new frame in `out`, and fills it in when the body is complete.
   false from frame_end: the body is empty or over FRAME_MAX. */
size_t frame_begin(struct buf *out);
bool frame_end(struct buf *out, size_t begin);

#endif
