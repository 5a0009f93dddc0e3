/*
 * Work that may block (files): one function on one job, in libuv's pool. It ends once, on the loop's thread.
 */
#ifndef EXEAT_NET_WORK_H
#define EXEAT_NET_WORK_H

#include "net/loop.h"

struct work;

struct work_events {
    void (*run)(void *job); /* in the pool: nothing but the job may be touched */
    void (*done)(void *owner,
                 void *job); /* the job is the owner's again; the work is gone. NULL: as if forgotten */
    void (*drop)(void *job); /* nobody waits any more: frees it, run or not */
};

/* Takes the job over until its end. Never ends inside this call. */
struct work *work_start(struct loop *loop, const struct work_events *events, void *job, void *owner);
/* No `done` any more. What runs already runs to its end. */
void work_forget(struct work *w);

#endif
