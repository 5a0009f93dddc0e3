/*
 * Passwords printed by a command: secret = command:COMMAND, run by /bin/sh -c in a process group of its own, with nothing on its standard
 * input, until it closes its output or COMMAND_MS have passed. posix_spawn, since a fork of a process with threads may not do much.
 * One worker thread from start to end.
 */
#include "keys/provider.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/buf.h"
#include "keys/deadline.h"

#define COMMAND_MS    30000
#define COMMANDS_MOST 32 /* as many as there are worker threads */

/* Process groups of the commands that run at the moment; 0: a free place. */
static atomic_int running[COMMANDS_MOST];

static void note(int from, int to)
{
    for (size_t i = 0; i < COMMANDS_MOST; i++) {
        int expected = from;
        if (atomic_compare_exchange_strong(&running[i], &expected, to))
            return;
    }
}

void command_end_all(void)
{
    for (size_t i = 0; i < COMMANDS_MOST; i++) {
        int group = atomic_load(&running[i]);
        if (group > 0)
            kill(-group, SIGKILL);
    }
}

extern char **environ;

static int start(const char *command, int output, pid_t *pid)
{
    char *const argv[] = {"sh", "-c", (char *)command, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int number = posix_spawn(pid, "/bin/sh", &files, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return number;
}

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

/* Waits for the end of the command itself, which may come after that of its output. At `until` its whole group is ended. */
static int reap(pid_t pid, int64_t until, bool *in_time)
{
    int status = 0, fd = pidfd_open(pid, 0);
    int64_t left = until - now_ms();
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (*in_time && fd >= 0 && poll(&p, 1, left > 0 ? (int)left : 0) <= 0)
        *in_time = false;
    if (!*in_time)
        kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (fd >= 0)
        close(fd);
    return status;
}

void command_fetch(const char *command, struct provided *out)
{
    int ends[2];
    pid_t pid;

    out->kind = PROVIDED_FAILED;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        err_errno(&out->e, ERR_SYSTEM, errno, "the command for the password cannot be started");
        return;
    }
    int number = start(command, ends[1], &pid);
    close(ends[1]);
    if (number) {
        err_errno(&out->e, ERR_SYSTEM, number, "the command for the password cannot be started");
        close(ends[0]);
        return;
    }
    note(0, pid);
    char bytes[PROVIDER_SECRET_MAX + 2];
    size_t n = 0;
    int64_t until = now_ms() + COMMAND_MS;
    bool in_time = collect(ends[0], bytes, sizeof bytes, &n, until);
    close(ends[0]);
    int status = reap(pid, until, &in_time);
    note(pid, 0);
    if (!in_time) {
        out->kind = PROVIDED_TIMEOUT;
        err_set(&out->e, ERR_TIMEOUT, "the command for the password did not end within %d seconds",
                COMMAND_MS / 1000);
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        provided_first_line(out, bytes, n, "the command for the password");
    } else if (WIFEXITED(status)) {
        err_set(&out->e, ERR_SYSTEM, "the command for the password failed with exit status %d",
                WEXITSTATUS(status));
    } else {
        err_set(&out->e, ERR_SYSTEM, "the command for the password was ended by signal %d", WTERMSIG(status));
    }
    secret_wipe(bytes, sizeof bytes);
}
