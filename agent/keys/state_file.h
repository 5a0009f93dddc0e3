/*
 * Small files in the state directory, a line for each thing remembered: read whole, and replaced whole, so that nobody ever finds half a
 * file. Words of a line are separated by blanks. Main thread.
 */
#ifndef EXEAT_KEYS_STATE_FILE_H
#define EXEAT_KEYS_STATE_FILE_H

#include <stdbool.h>

#include "base/buf.h"

char *state_path(const char *directory, const char *name); /* the caller frees */

/* The whole file, at most `max` bytes. No symbolic link is followed. false: errno says why. */
bool state_read(const char *path, struct buf *out, size_t max);
/* Writes the file where it stands, mode 0600 where it is made. false: errno says why. */
bool state_write(const char *path, struct span bytes);
/* Writes a neighbour and renames it over the old one. false: errno says why; the old one is untouched. */
bool state_replace(const char *directory, const char *name, struct span bytes);

/* Appends the text as one word: blanks, control characters and % percent-encoded. */
void state_encode(struct buf *out, const char *text);
char *state_decode(struct span word); /* the caller frees */

#endif
