/*
 * Writing everything to a descriptor that blocks: a file, a pipe to a program of ours. Any thread.
 */
#ifndef EXEAT_BASE_WRITE_ALL_H
#define EXEAT_BASE_WRITE_ALL_H

#include <stdbool.h>

#include "base/span.h"

/* false: errno says why, and some of it may have been written. */
bool write_all(int fd, struct span bytes);

#endif
