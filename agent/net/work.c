/*
 * What is in the pool cannot be called back, so its memory waits for its end. What waits there still when the loop ends is given up by loop_free.
 */
#include "net/work.h"

#include <stdlib.h>

#include "base/buf.h"
#include "net/uv_loop.h"

struct work {
    uv_work_t request;
    const struct work_events *events;
    void *job;
    void *owner;
    bool forgotten;
};

static void run(uv_work_t *request)
{
    struct work *w = request->data;
    w->events->run(w->job);
}

static void has_run(uv_work_t *request, int status)
{
    struct work *w = request->data;
    struct work held = *w;
    (void)status; /* it was called off only if it was forgotten */
    free(w);
    if (held.forgotten || !held.events->done)
        held.events->drop(held.job);
    else
        held.events->done(held.owner, held.job);
}

struct work *work_start(struct loop *loop, const struct work_events *events, void *job, void *owner)
{
    struct work *w = mem_zero(sizeof *w);
    *w = (struct work){.events = events, .job = job, .owner = owner};
    w->request.data = w;
    uv_queue_work(&loop->uv, &w->request, run, has_run);
    return w;
}

void work_forget(struct work *w)
{
    w->forgotten = true;
    uv_cancel((uv_req_t *)&w->request);
}
