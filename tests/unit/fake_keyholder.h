/*
 * A keyholder that a test scripts: the test program copies itself into a folder of its own, under its own name and as exeat-keys, and
 * runs again from there, so that the agent's code finds it where it looks first. What the copy named exeat-keys does is the test's
 * fake_message(); it reads and writes the real frames over descriptor 3, with blocking calls.
 */
#ifndef EXEAT_TESTS_FAKE_KEYHOLDER_H
#define EXEAT_TESTS_FAKE_KEYHOLDER_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/frame.h"
#include "wire/keys_msg.h"

#define FAKE_PLACE "EXEAT_TEST_PLACE" /* the folder; set for the copies */
#define FAKE_TALK  3

/* The test's: what it does when it is started, and with each message. It may _exit. */
static void fake_starts(int argc, char **argv);
static void fake_message(const struct keys_msg *m);

static inline void fake_write(const void *p, size_t n)
{
    for (const char *at = p; n;) {
        ssize_t done = write(FAKE_TALK, at, n);
        if (done <= 0)
            _exit(0); /* the agent has gone */
        at += done;
        n -= (size_t)done;
    }
}

static inline void fake_say(const struct keys_msg *m)
{
    struct buf frame = {.max = FRAME_MAX + 16};
    if (!keys_msg_write(&frame, m))
        _exit(70);
    fake_write(frame.p, frame.n);
    buf_free(&frame);
}

static inline void fake_answer(uint32_t call, uint32_t verdict)
{
    fake_say(&(struct keys_msg){.type = KEYS_ANSWER, .call = call, .verdict = verdict});
}

/* How many keyholders have been started here so far. */
static inline size_t fake_lives(void)
{
    char path[512];
    struct stat st;
    snprintf(path, sizeof path, "%s/lives", getenv(FAKE_PLACE));
    return stat(path, &st) == 0 ? (size_t)st.st_size : 0;
}

static inline void fake_run(int argc, char **argv)
{
    static char piece[64 * 1024];
    char path[512];
    struct frame_reader in;
    struct span body;
    ssize_t n;
    snprintf(path, sizeof path, "%s/lives", getenv(FAKE_PLACE));
    int lives = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (lives < 0 || write(lives, ".", 1) != 1)
        _exit(71);
    close(lives);
    fcntl(FAKE_TALK, F_SETFL, fcntl(FAKE_TALK, F_GETFL) & ~O_NONBLOCK);
    fake_starts(argc, argv);
    frame_reader_init(&in);
    while ((n = read(FAKE_TALK, piece, sizeof piece)) > 0) {
        if (!frame_reader_feed(&in, span_make(piece, (size_t)n)))
            _exit(72);
        while (frame_reader_next(&in, &body) > 0) {
            struct keys_msg m;
            const char *why;
            if (!keys_msg_read(&m, body, &why))
                _exit(73);
            fake_message(&m);
            frame_reader_drop(&in);
        }
    }
    _exit(0);
}

static inline bool fake_copy(const char *to)
{
    static char piece[64 * 1024];
    ssize_t n;
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    bool good = from >= 0 && fd >= 0;
    while (good && (n = read(from, piece, sizeof piece)) > 0)
        good = write(fd, piece, (size_t)n) == n;
    close(from);
    return close(fd) == 0 && good;
}

/* stderr goes into a file from here on, where fake_log_has looks; it is shown at the end if a test has failed. */
static inline void fake_log_start(void)
{
    char path[512];
    snprintf(path, sizeof path, "%s/log", getenv(FAKE_PLACE));
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, STDERR_FILENO);
    close(fd);
}

static inline void fake_log_read(struct buf *into)
{
    char path[512], piece[4096];
    ssize_t n;
    snprintf(path, sizeof path, "%s/log", getenv(FAKE_PLACE));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (n = read(fd, piece, sizeof piece)) > 0)
        buf_add(into, piece, (size_t)n);
    if (fd >= 0)
        close(fd);
}

static inline bool fake_log_has(const char *text)
{
    struct buf log = {0};
    fake_log_read(&log);
    bool has = strstr(buf_cstr(&log), text) != NULL;
    buf_free(&log);
    return has;
}

/* Calls `tests` in a copy of this program with a keyholder beside it, and returns its result; or is that keyholder. */
static inline int with_fake_keyholder(int argc, char **argv, int (*tests)(void))
{
    char place[] = "/tmp/exeat-keyholder-XXXXXX", program[64], keys[64], lives[64], log[64];
    struct buf said = {0};
    const char *name = strrchr(argv[0], '/');
    int status = -1;
    if (name && strcmp(name, "/exeat-keys") == 0)
        fake_run(argc, argv);
    if (getenv(FAKE_PLACE))
        return tests();
    if (!mkdtemp(place))
        return 1;
    snprintf(program, sizeof program, "%s/program", place);
    snprintf(keys, sizeof keys, "%s/exeat-keys", place);
    snprintf(lives, sizeof lives, "%s/lives", place);
    snprintf(log, sizeof log, "%s/log", place);
    setenv(FAKE_PLACE, place, 1);
    fflush(NULL);
    if (fake_copy(program) && symlink("program", keys) == 0) {
        pid_t child = fork();
        if (child == 0) {
            execl(program, program, (char *)NULL);
            _exit(127);
        }
        waitpid(child, &status, 0);
    }
    fake_log_read(&said);
    if (status != 0)
        fprintf(stderr, "%.*s", SPAN_ARG(buf_span(&said)));
    buf_free(&said);
    unlink(log);
    unlink(program);
    unlink(keys);
    unlink(lives);
    rmdir(place);
    return !WIFEXITED(status) ? 1 : WEXITSTATUS(status);
}

#endif
