/*
 * Bytes of unknown encoding to characters. Pure functions, no limits of their own.
 */
#ifndef EXEAT_PAC_TEXT_H
#define EXEAT_PAC_TEXT_H

#include <stdint.h>

#include "base/buf.h"

/* Appends UTF-16 code units (uint16_t, this machine's byte order, no mark) to `out`: what a byte order mark says (UTF-8, UTF-16 of both
   orders), else UTF-8 if the bytes are that throughout, else Latin-1. false: `out` is at its ceiling. */
bool text_to_utf16(struct span bytes, struct buf *out);

/* Takes one character off the front of *s, which is not empty. A byte that begins no good UTF-8 sequence stands for itself. */
uint32_t text_next(struct span *s);

#endif
