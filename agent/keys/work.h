/*
 * Everything that may block (KDC, keyring, a command, a GSSAPI call) runs here, on threads that are made on demand. A job is a
 * struct of its caller's with all that it needs copied in: `run` on a worker touches nothing else; `done` runs on the main thread.
 */
#ifndef EXEAT_KEYS_WORK_H
#define EXEAT_KEYS_WORK_H

#include <stdbool.h>

#include "base/list.h"

struct job {
    struct list node;
    void (*run)(struct job *j);  /* worker */
    void (*done)(struct job *j); /* main thread, from work_collect; releases the job */
    bool
        quick; /* never waits for another machine: runs though all ordinary threads are stuck with a dead KDC */
};

/* Makes the queue; the descriptor becomes readable when work_collect has something to do. -1: errno says why. */
int work_start(void);
void work_submit(struct job *j); /* FIFO */
void work_collect(void);
bool work_idle(void); /* no job is queued, running or waiting to be collected */
void work_stop(void); /* ends the threads; only when idle */

#endif
