/*
 * Lines that must not keep anybody waiting: they are copied into a bounded queue, and a thread of the sink's own writes them, to a file or to
 * standard error. What does not fit is counted, and said in the log as soon as there is room again. The thread sleeps while there is nothing to write.
 */
#ifndef EXEAT_BASE_SINK_H
#define EXEAT_BASE_SINK_H

#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

#define SINK_BYTES_MOST ((size_t)1 << 20) /* queued; as much again may be with the writer */

struct sink;

/* Opens it for lines at its end, or makes it with mode 0600. A descriptor; -1 with *e, for one that is no regular file too. May block. */
int sink_open(const char *path, struct err *e);

/* `fd`: taken over; STDERR_FILENO is not. `what`: for the log, "the file PATH". Starts the thread: after whatever must come before a first thread. */
struct sink *sink_start(int fd, const char *what);
/* Lines from here on go there; those before still to where they belong. Takes fd over. */
void sink_turn(struct sink *s, int fd, const char *what);
/* Any thread; never blocks. false: counted as lost. The line has no newline. */
bool sink_add(struct sink *s, struct span line);
/* Lines that were not written, so far. */
uint64_t sink_lost(const struct sink *s);
/* Writes what is queued, as far as that can be done in so many milliseconds, and ends. false: the writer hangs in the file system; the process should end by
   _exit. NULL is allowed. */
bool sink_stop(struct sink *s, unsigned milliseconds);

#endif
