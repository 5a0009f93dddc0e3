/*
 * What the files of net/ know of the loop, and nobody else.
 */
#ifndef EXEAT_NET_UV_LOOP_H
#define EXEAT_NET_UV_LOOP_H

#include <uv.h>

#include "base/list.h"
#include "net/loop.h"

#define SHARED_READ_BYTES ((size_t)256 * 1024)
#define SIGNALS_WATCHED   4

struct signal_watch {
    uv_signal_t handle;
    signal_fn seen;
    void *owner;
    bool used;
};

struct loop {
    uv_loop_t uv;
    char *shared_read;    /* one read buffer for all streams: lent during a data callback only */
    size_t accepted_open; /* accepted streams that are open */
    size_t spent;         /* of these, those that anybody else's need ends */
    size_t
        accepted_budget; /* listeners pause at this many: half of the descriptors, the others are for upstreams */
    struct list lingering;  /* streams that end by themselves */
    uint64_t pause_told;    /* loop_now of the last line about pausing: it comes and goes with every client */
    struct list paused;     /* listeners that wait for a stream to close */
    struct list later;      /* queued later_start calls */
    uv_idle_t later_runner; /* active while `later` is not empty: keeps the loop from waiting */
    struct signal_watch signals[SIGNALS_WATCHED];
};

/* child.c: what closes its handles, for those of children that nobody watches any more. */
void child_closed(uv_handle_t *handle);
/* linger.c: closes the oldest of the spent streams. false: there is none. */
bool loop_ends_lingering(struct loop *loop);
/* A stream has closed: listeners that had paused may go on. */
void loop_descriptor_freed(struct loop *loop, bool accepted);

#endif
