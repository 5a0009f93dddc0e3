/*
 * The inside of our frames: a type, a call number, and fields in ascending order of their numbers, each at most once and none of them empty.
 * So a message has exactly one encoding, and the reader refuses all others. What fields there are is a table of the message's own file
 * (keys_msg.c, pac_msg.c); this file only moves them between a struct and bytes:
 *
 *     type (1 byte)  call (4 bytes)  { field number (1 byte)  length (4 bytes)  value }*
 *
 * all integers in network order; integers are left out when 0. Pure functions on their arguments, any thread.
 */
#ifndef EXEAT_WIRE_FIELDS_H
#define EXEAT_WIRE_FIELDS_H

#include <stdint.h>

#include "base/buf.h"

/* One field of a message: a uint32_t or a struct span, `at` bytes into the message's struct. */
struct field {
    bool integer;
    uint32_t limit; /* the largest integer, or the longest string in bytes */
    size_t at;
};

/* Row 0 stands for nothing: field numbers begin at 1. At most 31 fields. */
struct fields {
    const struct field *rows;
    unsigned end;
};

#define FIELD_BIT(number) (1u << (number))

/* NULL, or what is wrong with the fields of *m: one over its limit, one that is neither in `must` nor in `may`, one of `must` missing. */
const char *fields_check(const struct fields *f, const void *m, uint32_t must, uint32_t may);

/* Appends one whole frame. false: over FRAME_MAX or the ceiling of `out`, which is as it was. */
bool fields_write(struct buf *out, const struct fields *f, const void *m, unsigned type, uint32_t call);

/* Takes type and call off the front of *body. false: it is cut short. */
bool fields_read_head(struct span *body, unsigned *type, uint32_t *call);
/* The fields behind them into *m, which has been zeroed; its spans point into `rest`. NULL, or what is wrong. */
const char *fields_read(const struct fields *f, void *m, struct span rest);

#endif
