/*
 * The agent's one event loop. net/ is the only home of libuv: rooms above see streams, listeners, deadlines and child processes.
 * Everything in net/ runs on the loop's thread; nothing here blocks. Callbacks never run inside the call that starts something.
 */
#ifndef EXEAT_NET_LOOP_H
#define EXEAT_NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct loop;

/* One per process. Raises the limit of open descriptors to its hard limit and libuv's pool to 16 threads. */
struct loop *loop_new(void);
/* Runs until loop_stop, or until nothing is left to wait for. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* Closes what is left and gives everything back. false: a name look-up is still under way; the process should end by _exit, for libuv would wait for it. */
bool loop_free(struct loop *loop);

/* Is somebody still being sent the last bytes of a connection that ends by itself (stream_linger)? */
bool loop_delivers(const struct loop *loop);

/* Are three quarters of the clients open that descriptors allow? Those whom others can do without make room then, so that listeners need not pause. */
bool loop_is_crowded(const struct loop *loop);

/* How many may be open at once, those set aside for ourselves not counted. */
size_t loop_descriptors(const struct loop *loop);

/* Monotonic milliseconds, as of this round of the loop. */
uint64_t loop_now(const struct loop *loop);

/* SIGTERM, SIGINT, SIGHUP as events; SIGPIPE is ignored by loop_new. `seen` runs on the loop's thread. At most one watcher per signal. */
typedef void (*signal_fn)(void *owner, int number);
bool loop_watch_signal(struct loop *loop, int number, signal_fn seen, void *owner);

/* Name, value and place: a deadline is memory of yours; one-shot; stopping twice is harmless. Stop it before its memory goes. */
struct deadline {
    void *timer; /* NULL: not running */
};
typedef void (*deadline_fn)(void *owner);
void deadline_start(struct loop *loop, struct deadline *d, uint64_t milliseconds, deadline_fn passed,
                    void *owner);
void deadline_stop(struct deadline *d);

/* Runs `run(owner)` once in a later round of this loop, before it waits again: for ends that must not come inside their start. Cancel before the owner goes. */
struct later {
    void *link;
};
typedef void (*later_fn)(void *owner);
void later_start(struct loop *loop, struct later *l, later_fn run, void *owner);
void later_cancel(struct later *l);

#endif
