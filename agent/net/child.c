/*
 * Starting helper programs through libuv. The record lives until the program has ended, also when its owner has lost interest, so that no zombie stays.
 */
#include "net/child.h"

#include <stdlib.h>

#include "net/uv_loop.h"
#include "net/uv_stream.h"

struct child {
    uv_process_t process;
    child_ended_fn ended; /* NULL: forgotten */
    void *owner;
};

static void was_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void has_ended(uv_process_t *process, int64_t exit_status, int signal)
{
    struct child *c = process->data;
    child_ended_fn ended = c->ended;
    void *owner = c->owner;
    uv_close((uv_handle_t *)process, was_closed);
    if (ended)
        ended(owner, (int)exit_status, signal);
}

struct child *child_start(struct loop *loop, char *const *arguments, struct stream **talk,
                          child_ended_fn ended, void *owner, struct err *e)
{
    struct child *c = mem_zero(sizeof *c);
    c->ended = ended;
    c->owner = owner;
    c->process.data = c;
    struct stream *s = stream_new_pipe(loop);
    uv_stdio_container_t stdio[4] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = 1},
        {.flags = UV_INHERIT_FD, .data.fd = 2},
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE, .data.stream = &s->handle.stream},
    };
    char **copy = (char **)(uintptr_t)arguments;
    uv_process_options_t options = {
        .exit_cb = has_ended, .file = arguments[0], .args = copy, .stdio = stdio, .stdio_count = 4};
    int error = uv_spawn(&loop->uv, &c->process, &options);
    if (error) {
        err_set(e, ERR_SYSTEM, "cannot start %s: %s", arguments[0], uv_strerror(error));
        stream_close(s);
        c->ended = NULL;
        uv_close((uv_handle_t *)&c->process, was_closed);
        return NULL;
    }
    *talk = s;
    return c;
}

pid_t child_pid(const struct child *c)
{
    return uv_process_get_pid(&c->process);
}

void child_forget(struct child *c, child_ended_fn last_words)
{
    c->ended = last_words;
    c->owner = NULL;
    uv_unref((uv_handle_t *)&c->process);
}

void child_abandon(struct child *c)
{
    uv_close((uv_handle_t *)&c->process, was_closed);
}
