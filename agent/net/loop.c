/*
 * The loop: its set-up, deadlines, calls for later, signals. Everything runs on its one thread.
 * libuv frees a handle only after its close callback: the memory of timers is therefore its own, and what callers hold is a thin reference.
 */
#include "net/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "net/listen_resume.h"
#include "net/uv_loop.h"
#include "net/uv_stream.h"

struct later_call {
    struct list link;
    struct later *later;
    later_fn run;
    void *owner;
};

#define CLOSING_ROUNDS       64
#define DESCRIPTORS_RESERVED 64 /* helper programs, log, control socket, keyring, listeners */

static size_t raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    if (limit.rlim_cur < limit.rlim_max) {
        rlim_t soft = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            limit.rlim_cur = soft;
    }
    return limit.rlim_cur == RLIM_INFINITY ? (size_t)1 << 20 : (size_t)limit.rlim_cur;
}

struct loop *loop_new(void)
{
    /* Name look-ups block their thread: four threads would make one slow resolver everybody's problem. */
    setenv("UV_THREADPOOL_SIZE", "16", 0);
    signal(SIGPIPE, SIG_IGN);
    struct loop *loop = mem_zero(sizeof *loop);
    uv_loop_init(&loop->uv);
    loop->uv.data = loop;
    loop->shared_read = mem_alloc(SHARED_READ_BYTES);
    size_t descriptors = raise_descriptor_limit();
    loop->accepted_budget =
        descriptors > DESCRIPTORS_RESERVED + 8 ? (descriptors - DESCRIPTORS_RESERVED) / 2 : 4;
    list_init(&loop->lingering);
    list_init(&loop->paused);
    list_init(&loop->later);
    uv_idle_init(&loop->uv, &loop->later_runner);
    return loop;
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

static void drop_call(struct later_call *call)
{
    list_remove(&call->link);
    free(call);
}

/* Of timers: the handle is part of its record. */
static void record_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void close_stray(uv_handle_t *handle, void *unused)
{
    (void)unused;
    bool child = handle->type == UV_PROCESS || handle->type == UV_POLL;
    if (!uv_is_closing(handle))
        uv_close(handle, handle->type == UV_TIMER ? record_closed : child ? child_closed : NULL);
}

bool loop_free(struct loop *loop)
{
    while (!list_empty(&loop->lingering))
        stream_close(list_entry(loop->lingering.next, struct stream, lingering));
    while (!list_empty(&loop->later))
        drop_call(list_entry(loop->later.next, struct later_call, link));
    uv_close((uv_handle_t *)&loop->later_runner, NULL);
    for (size_t i = 0; i < SIGNALS_WATCHED; i++)
        if (loop->signals[i].used)
            uv_close((uv_handle_t *)&loop->signals[i].handle, NULL);
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    uv_walk(&loop->uv, close_stray, NULL);
    bool busy = true;
    for (unsigned round = 0; round < CLOSING_ROUNDS && busy; round++)
        busy = uv_run(&loop->uv, UV_RUN_NOWAIT) != 0;
    if (busy) /* a look-up is still in the pool and cannot be called back: its memory must stay */
        return false;
    uv_loop_close(&loop->uv);
    free(loop->shared_read);
    free(loop);
    return true;
}

bool loop_is_crowded(const struct loop *loop)
{
    return loop->accepted_open - loop->spent > loop->accepted_budget / 4 * 3;
}

size_t loop_descriptors(const struct loop *loop)
{
    return loop->accepted_budget * 2;
}

uint64_t loop_now(const struct loop *loop)
{
    return uv_now(&loop->uv);
}

void loop_descriptor_freed(struct loop *loop, bool accepted)
{
    if (accepted)
        loop->accepted_open--;
    struct list *it, *safe;
    list_each(it, safe, &loop->paused) listener_resume(it);
}

/* --- signals --- */

static void signal_seen(uv_signal_t *handle, int number)
{
    struct signal_watch *watch = handle->data;
    watch->seen(watch->owner, number);
}

bool loop_watch_signal(struct loop *loop, int number, signal_fn seen, void *owner)
{
    for (size_t i = 0; i < SIGNALS_WATCHED; i++) {
        struct signal_watch *watch = &loop->signals[i];
        if (watch->used)
            continue;
        *watch = (struct signal_watch){.seen = seen, .owner = owner, .used = true};
        uv_signal_init(&loop->uv, &watch->handle);
        watch->handle.data = watch;
        uv_unref((uv_handle_t *)&watch->handle);
        return uv_signal_start(&watch->handle, signal_seen, number) == 0;
    }
    return false;
}

/* --- deadlines --- */

struct timer {
    uv_timer_t handle;
    struct deadline *deadline;
    deadline_fn passed;
    void *owner;
};

static void timer_release(struct timer *t)
{
    t->deadline->timer = NULL;
    uv_close((uv_handle_t *)&t->handle, record_closed);
}

static void timer_passed(uv_timer_t *handle)
{
    struct timer *t = handle->data;
    deadline_fn passed = t->passed;
    void *owner = t->owner;
    timer_release(t);
    passed(owner);
}

void deadline_start(struct loop *loop, struct deadline *d, uint64_t milliseconds, deadline_fn passed,
                    void *owner)
{
    struct timer *t = d->timer;
    if (!t) {
        t = mem_zero(sizeof *t);
        uv_timer_init(&loop->uv, &t->handle);
        t->handle.data = t;
        t->deadline = d;
        d->timer = t;
    }
    t->passed = passed;
    t->owner = owner;
    uv_timer_start(&t->handle, timer_passed, milliseconds, 0);
}

void deadline_stop(struct deadline *d)
{
    if (d->timer)
        timer_release(d->timer);
}

/* --- calls for later --- */

static void run_later(uv_idle_t *handle)
{
    struct loop *loop = handle->loop->data;
    struct list batch;
    /* Only what was queued before this round: a call that queues another must not starve the sockets. */
    list_init(&batch);
    while (!list_empty(&loop->later)) {
        struct list *first = loop->later.next;
        list_remove(first);
        list_push_back(&batch, first);
    }
    while (!list_empty(&batch)) {
        struct later_call *call = list_entry(batch.next, struct later_call, link);
        later_fn run = call->run;
        void *owner = call->owner;
        call->later->link = NULL;
        drop_call(call);
        run(owner);
    }
    if (list_empty(&loop->later))
        uv_idle_stop(handle);
}

void later_start(struct loop *loop, struct later *l, later_fn run, void *owner)
{
    later_cancel(l);
    struct later_call *call = mem_zero(sizeof *call);
    *call = (struct later_call){.later = l, .run = run, .owner = owner};
    l->link = call;
    list_push_back(&loop->later, &call->link);
    uv_idle_start(&loop->later_runner, run_later);
}

void later_cancel(struct later *l)
{
    struct later_call *call = l->link;
    if (!call)
        return;
    l->link = NULL;
    drop_call(call);
}
