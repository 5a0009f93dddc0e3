/*
 * Starting helper programs: through libuv, or through a starter, whose line for each program brings the news that libuv gets from SIGCHLD. The
 * record lives until the program has ended, also when its owner has lost interest, so that no zombie stays and its last words are heard.
 */
#include "net/child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/spawner.h"
#include "net/uv_loop.h"
#include "net/uv_stream.h"

#define CANNOT_START        127 /* as shells say it */
#define STARTER_PATIENCE_MS 5000
#define TALK_FD             3

struct child {
    union {
        uv_handle_t any;
        uv_process_t process;
        uv_poll_t line;
    } handle;
    int line;             /* -1: libuv's child */
    pid_t pid;            /* 0: not known yet */
    child_ended_fn ended; /* NULL: nobody wants to know */
    void *owner;
    bool forgotten;
    char path[];
};

struct starter {
    struct loop *loop;
    struct spawner spawner;
    struct spawner_program program;
};

static struct child *child_new(const char *path, int line, child_ended_fn ended, void *owner)
{
    size_t n = strlen(path) + 1;
    struct child *c = mem_zero(sizeof *c + n);
    c->line = line;
    c->ended = ended;
    c->owner = owner;
    c->handle.any.data = c;
    memcpy(c->path, path, n);
    return c;
}

void child_closed(uv_handle_t *handle)
{
    struct child *c = handle->data;
    if (c->line >= 0)
        close(c->line);
    free(c);
}

static void child_close(struct child *c)
{
    uv_close(&c->handle.any, child_closed);
}

static void child_ends(struct child *c, int exit_status, int signal)
{
    child_ended_fn ended = c->ended;
    void *owner = c->owner;
    child_close(c);
    if (ended)
        ended(owner, exit_status, signal);
}

/* --- libuv's --- */

static void has_ended(uv_process_t *process, int64_t exit_status, int signal)
{
    child_ends(process->data, (int)exit_status, signal);
}

struct child *child_start(struct loop *loop, char *const *arguments, struct stream **talk,
                          child_ended_fn ended, void *owner, struct err *e)
{
    struct child *c = child_new(arguments[0], -1, ended, owner);
    struct stream *s = stream_new_pipe(loop);
    uv_stdio_container_t stdio[TALK_FD + 1] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = 1},
        {.flags = UV_INHERIT_FD, .data.fd = 2},
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE, .data.stream = &s->handle.stream},
    };
    char **copy = (char **)(uintptr_t)arguments;
    uv_process_options_t options = {
        .exit_cb = has_ended, .file = arguments[0], .args = copy, .stdio = stdio, .stdio_count = TALK_FD + 1};
    int error = uv_spawn(&loop->uv, &c->handle.process, &options);
    if (error) {
        err_set(e, ERR_SYSTEM, "cannot start %s: %s", arguments[0], uv_strerror(error));
        stream_close(s);
        child_close(c);
        return NULL;
    }
    c->pid = uv_process_get_pid(&c->handle.process);
    log_debug(NULL, "started %s, process %ld", c->path, (long)c->pid);
    *talk = s;
    return c;
}

/* --- the starter's --- */

static void line_readable(uv_poll_t *handle, int status, int events)
{
    struct child *c = handle->data;
    struct spawner_word word;
    (void)status;
    (void)events;
    int heard = spawner_hear(c->line, &word);
    if (heard < 0 && c->forgotten) {
        child_close(c);
    } else if (heard < 0) { /* the starter was killed; the program need not be, and its stream will tell */
        uv_poll_stop(handle);
    } else if (heard > 0 && word.error) {
        log_error(NULL, "cannot start %s: %s", c->path, strerror(word.error));
        child_ends(c, CANNOT_START, 0);
    } else if (heard > 0 && word.ended) {
        child_ends(c, word.exit_status, word.signal);
    } else if (heard > 0) {
        c->pid = word.pid;
        log_debug(NULL, "started %s, process %ld", c->path, (long)c->pid);
    }
}

struct child *starter_start(struct starter *s, struct stream **talk, child_ended_fn ended, void *owner,
                            struct err *e)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        err_errno(e, ERR_SYSTEM, errno, "cannot make a pair of sockets");
        return NULL;
    }
    int line = spawner_ask(&s->spawner, SPAN("start"), ends[1]);
    int error = errno;
    close(ends[1]);
    if (line < 0) {
        close(ends[0]);
        spawner_bury(&s->spawner);
        err_errno(e, ERR_SYSTEM, error,
                  "cannot start %s, for the process that does this has ended (stop exeat and start it again)",
                  s->program.path);
        return NULL;
    }
    struct child *c = child_new(s->program.path, line, ended, owner);
    uv_poll_init(&s->loop->uv, &c->handle.line, line);
    uv_poll_start(&c->handle.line, UV_READABLE, line_readable);
    *talk = stream_from_fd(s->loop, ends[0]);
    return c;
}

/* In the starter. We say when, and nothing else. */
static bool choose(void *owner, struct span request, struct spawner_program *out)
{
    const struct starter *s = owner;
    (void)request;
    *out = s->program;
    return true;
}

struct starter *starter_new(struct loop *loop, char *const *arguments, enum starter_way way, struct err *e)
{
    struct starter *s = mem_zero(sizeof *s);
    size_t n = 0;
    while (arguments[n])
        n++;
    char **copy = mem_zero((n + 1) * sizeof *copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = mem_strdup(arguments[i]);
    *s = (struct starter){.loop = loop, .program = {.path = copy[0], .argv = copy}};
    struct spawner_rules rules = {.name = "exeat-starter",
                                  .choose = choose,
                                  .owner = s,
                                  .place = TALK_FD,
                                  .group = way == STARTER_KILLS,
                                  .patience_ms = STARTER_PATIENCE_MS};
    if (spawner_start(&s->spawner, &rules, e))
        return s;
    starter_free(s);
    return NULL;
}

void starter_free(struct starter *s)
{
    if (!s)
        return;
    spawner_end(&s->spawner);
    for (char *const *argument = s->program.argv; *argument; argument++)
        free(*argument);
    free((char **)(uintptr_t)s->program.argv);
    free(s);
}

/* --- both --- */

void child_forget(struct child *c, child_ended_fn last_words)
{
    c->ended = last_words;
    c->owner = NULL;
    c->forgotten = true;
    uv_unref(&c->handle.any);
    if (c->line >= 0 && !uv_is_active(&c->handle.any))
        child_close(c);
}

void child_kill(struct child *c)
{
    if (c->line < 0) {
        uv_process_kill(&c->handle.process, SIGKILL);
        child_forget(c, NULL);
    } else {
        child_close(c); /* its starter sees that we hang up */
    }
}

pid_t child_pid(const struct child *c)
{
    return c->pid;
}

void child_abandon(struct child *c)
{
    child_close(c);
}
