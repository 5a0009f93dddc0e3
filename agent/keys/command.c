/*
 * Passwords printed by a command: secret = command:COMMAND, run by /bin/sh -c in a process group of its own, with nothing on its standard
 * input, until it closes its output or COMMAND_MS have passed. The keyholder itself may execute nothing (base/sandbox.h); a process that
 * was forked before that does (base/spawner.h), which executes no command but those that it has read in the configuration itself, and
 * gives them neither our sandbox nor anything of ours. One worker thread from start to end; the choosing is done in that process.
 */
#include "keys/provider.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"
#include "base/spawner.h"
#include "keys/deadline.h"

#define COMMAND_MS 30000

static struct spawner runner = {.fd = -1}; /* not written once there are workers */
static atomic_bool over;

/* --- in the runner --- */

struct known {
    struct list node;
    char *request; /* upstream, NUL, command, NUL; what is asked for has the user and a NUL behind it */
    size_t n;
};

struct book {
    const char *config_path;
    struct list
        known; /* what has stood in the configuration since the start: a file that is being edited ends nothing */
};

static void write_request(struct buf *out, const char *upstream, const char *command)
{
    buf_add(out, upstream, strlen(upstream) + 1);
    buf_add(out, command, strlen(command) + 1);
}

static const struct known *find(const struct book *b, struct span request)
{
    struct list *it, *safe;
    list_each(it, safe, &b->known)
    {
        const struct known *k = list_entry(it, struct known, node);
        if (span_starts(request, span_make(k->request, k->n)))
            return k;
    }
    return NULL;
}

static void learn(struct book *b, const struct config *c)
{
    for (size_t i = 0; i < c->n_upstreams; i++) {
        const struct config_upstream *u = &c->upstreams[i];
        struct buf request = {0};
        if (u->secret != SECRET_COMMAND)
            continue;
        write_request(&request, u->name, u->secret_argument);
        if (!find(b, buf_span(&request))) {
            struct known *k = mem_zero(sizeof *k);
            k->request = span_dup(buf_span(&request));
            k->n = request.n;
            list_push_back(&b->known, &k->node);
        }
        buf_free(&request);
    }
}

static bool choose(void *owner, struct span request, struct spawner_program *out)
{
    static const char *argv[] = {"sh", "-c", NULL, NULL};
    struct book *b = owner;
    struct err e;
    const struct known *k = find(b, request);
    struct config *c = k ? NULL : config_load(b->config_path, &e);
    if (c) {
        learn(b, c);
        config_unref(c);
        k = find(b, request);
    }
    if (!k)
        return false;
    struct span user = span_from(request, k->n);
    if (user.n < 2 || memchr(user.p, '\0', user.n) != user.p + user.n - 1)
        unsetenv(SECRET_USER_VARIABLE);
    else if (setenv(SECRET_USER_VARIABLE, user.p, 1) < 0)
        return false;
    argv[2] = k->request + strlen(k->request) + 1;
    *out = (struct spawner_program){"/bin/sh", (char *const *)(uintptr_t)argv};
    return true;
}

bool command_start(const char *config_path, const struct config *c, struct err *e)
{
    struct book *b = mem_zero(sizeof *b);
    b->config_path = config_path;
    list_init(&b->known);
    learn(b, c);
    struct spawner_rules rules = {
        .name = "exeat-commands", .choose = choose, .owner = b, .place = STDOUT_FILENO, .group = true};
    bool started = spawner_start(&runner, &rules, e);
    while (!list_empty(&b->known)) { /* ours; the runner has its copy */
        struct known *k = list_entry(b->known.next, struct known, node);
        list_remove(&k->node);
        free(k->request);
        free(k);
    }
    free(b);
    return started;
}

void command_end_all(void)
{
    struct spawner last = runner;
    atomic_store(&over, true);
    spawner_end(&last);
}

/* --- on a worker --- */

/* Reads until end of file or `until`; more than fits is read and dropped. false: the time is up. */
static bool collect(int fd, char *to, size_t room, size_t *n, int64_t until)
{
    char rest[512];
    bool in_time = false;
    for (;;) {
        int64_t left = until - now_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (left <= 0)
            break;
        if (poll(&p, 1, (int)left) <= 0)
            continue;
        bool full = *n == room;
        ssize_t got = full ? read(fd, rest, sizeof rest) : read(fd, to + *n, room - *n);
        if (got == 0) {
            in_time = true;
            break;
        }
        if (got > 0 && !full)
            *n += (size_t)got;
        else if (got < 0 && errno != EINTR)
            break;
    }
    secret_wipe(rest, sizeof rest);
    return in_time;
}

/* The next word about the command. 0: the time is up, or there is none any more. */
static bool hear(int line, struct spawner_word *word, int64_t until)
{
    struct pollfd p = {.fd = line, .events = POLLIN};
    for (;;) {
        int heard = spawner_hear(line, word);
        int64_t left = until - now_ms();
        if (heard)
            return heard > 0;
        if (left <= 0)
            return false;
        poll(&p, 1, (int)left);
    }
}

/* Standard output to `bytes`; then how it ended. */
static void follow(int line, int output, int64_t until, struct provided *out)
{
    struct spawner_word word = {0};
    char bytes[PROVIDER_SECRET_MAX + 2];
    size_t n = 0;
    if (!hear(line, &word, until) || word.error) {
        err_errno(&out->e, ERR_SYSTEM, word.error ? word.error : EPIPE,
                  "the command for the password cannot be started");
        close(line);
        return;
    }
    if (!collect(output, bytes, sizeof bytes, &n, until) || !hear(line, &word, until)) {
        out->kind = PROVIDED_TIMEOUT;
        err_set(&out->e, ERR_TIMEOUT, "the command for the password did not end within %d seconds",
                COMMAND_MS / 1000);
        close(line); /* which ends its whole group */
    } else {
        spawner_let_go(line);
        if (word.signal)
            err_set(&out->e, ERR_SYSTEM, "the command for the password was ended by signal %d", word.signal);
        else if (word.exit_status)
            err_set(&out->e, ERR_SYSTEM, "the command for the password failed with exit status %d",
                    word.exit_status);
        else
            provided_first_line(out, bytes, n, "the command for the password");
    }
    secret_wipe(bytes, sizeof bytes);
}

void command_fetch(const char *upstream, const char *command, const char *user, struct provided *out)
{
    int ends[2];
    struct buf request = {0};
    out->kind = PROVIDED_FAILED;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        err_errno(&out->e, ERR_SYSTEM, errno, "the command for the password cannot be started");
        return;
    }
    write_request(&request, upstream, command);
    if (user)
        buf_add(&request, user, strlen(user) + 1);
    errno = EPIPE;
    int line = atomic_load(&over) ? -1 : spawner_ask(&runner, buf_span(&request), ends[1]);
    int error = errno;
    buf_free(&request);
    close(ends[1]);
    if (line < 0)
        err_errno(&out->e, ERR_SYSTEM, error, "the command for the password cannot be started");
    else
        follow(line, ends[0], now_ms() + COMMAND_MS, out);
    close(ends[0]);
}
