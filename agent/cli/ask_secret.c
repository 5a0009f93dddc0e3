/*
 * Reading a password. On a terminal: echo off, one line, everything back as it was. A signal must not leave
 * the terminal without echo, so the ones that end or suspend a program are caught while we wait (they can
 * arrive in ppoll alone), the terminal is restored, and then the signal is given its usual way; after a
 * suspension we ask again. Ctrl-Z and Ctrl-C drop what was typed before them, also between ppoll and read, which therefore must not wait. Bytes go from the kernel through one small wiped buffer into the secret.
 */
#include "cli/ask_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/write_all.h"
#include "cli/say.h"

static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
#define N_SIGNALS (sizeof signals / sizeof *signals)

static volatile sig_atomic_t caught;

static void note_signal(int number)
{
    caught = number;
}

/* --- signals held back while the terminal is without echo */

struct signal_watch {
    sigset_t before; /* the mask outside, which ppoll puts in force while it waits */
    struct sigaction actions[N_SIGNALS];
};

static void watch_signals(struct signal_watch *w)
{
    struct sigaction action = {.sa_handler = note_signal};
    sigset_t held;
    sigemptyset(&held);
    sigemptyset(&action.sa_mask);
    caught = 0;
    for (size_t i = 0; i < N_SIGNALS; i++)
        sigaddset(&held, signals[i]);
    sigprocmask(SIG_BLOCK, &held, &w->before);
    for (size_t i = 0; i < N_SIGNALS; i++) {
        sigaction(signals[i], NULL, &w->actions[i]);
        if (w->actions[i].sa_handler != SIG_IGN) /* nohup stays nohup */
            sigaction(signals[i], &action, NULL);
    }
}

static void unwatch_signals(const struct signal_watch *w)
{
    for (size_t i = 0; i < N_SIGNALS; i++)
        sigaction(signals[i], &w->actions[i], NULL);
    sigprocmask(SIG_SETMASK, &w->before, NULL);
}

/* --- one line */

enum line_end { LINE_WHOLE, LINE_EOF, LINE_SIGNAL, LINE_BROKEN, LINE_TOO_LONG };

/* Up to the newline, which is dropped with all that stands behind it. `mask`: in force while waiting; NULL:
 * no signal is watched for. */
static enum line_end read_line(int fd, const sigset_t *mask, struct secret *out)
{
    char chunk[256];
    enum line_end end = LINE_BROKEN;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = ppoll(&p, 1, NULL, mask);
        if (ready < 0 && errno == EINTR && !caught)
            continue;
        if (ready < 0) {
            end = errno == EINTR ? LINE_SIGNAL : LINE_BROKEN;
            break;
        }
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EAGAIN)
            continue;
        if (n < 0)
            break;
        struct span piece = span_make(chunk, (size_t)n);
        size_t newline = span_find(piece, '\n');
        secret_add(out, span_head(piece, newline));
        if (newline < piece.n || n == 0) {
            end = n ? LINE_WHOLE : LINE_EOF;
            break;
        }
        if (out->length > SECRET_LONGEST) {
            end = LINE_TOO_LONG;
            break;
        }
    }
    secret_wipe(chunk, sizeof chunk);
    return end;
}

static bool check_line(enum line_end end, int error, const struct secret *s, struct err *e)
{
    struct span text = secret_reveal(s);
    if (end == LINE_BROKEN)
        return err_errno(e, ERR_SYSTEM, error, "cannot read the password");
    if (end == LINE_TOO_LONG || text.n > SECRET_LONGEST)
        return err_set(e, ERR_LIMIT, "the password is longer than %zu bytes", SECRET_LONGEST);
    if (text.n == 0)
        return err_set(e, ERR_LIMIT, "the password is empty: nothing was changed");
    if (memchr(text.p, '\0', text.n))
        return err_set(e, ERR_LIMIT,
                       "the password has a NUL byte in it, which no proxy takes: nothing was changed");
    return true;
}

/* --- the terminal */

/* One try: prompt, line without echo, terminal as before. */
static enum line_end ask_quietly(int in, int out, struct span prompt, struct secret *secret, int *error)
{
    struct signal_watch watch;
    struct termios before;
    if (tcgetattr(in, &before) != 0) {
        *error = errno;
        return LINE_BROKEN;
    }
    struct termios quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    watch_signals(&watch);
    enum line_end end = LINE_BROKEN;
    if (tcsetattr(in, TCSAFLUSH, &quiet) == 0) {
        write_all(out, prompt);
        end = read_line(in, &watch.before, secret);
        *error = errno;
        tcsetattr(in, TCSAFLUSH, &before);
        write_all(out, SPAN("\n"));
    } else {
        *error = errno;
    }
    unwatch_signals(&watch);
    return end;
}

/* Another descriptor of this terminal, whose reads do not wait: others may share the one that we were given. -1: there is none (another user's terminal). */
static int impatient(int terminal)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", terminal);
    return open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static bool ask_on(int in, int out, struct span prompt, struct secret *secret, struct err *e)
{
    int error, reader = impatient(in);
    enum line_end end;
    while ((end = ask_quietly(reader < 0 ? in : reader, out, prompt, secret, &error)) == LINE_SIGNAL) {
        secret_free(secret);
        raise(caught); /* returns only when it has suspended us, and somebody goes on */
    }
    if (reader >= 0)
        close(reader);
    if (check_line(end, error, secret, e))
        return true;
    secret_free(secret);
    return false;
}

/* Names in the prompt come from files: no control byte of theirs reaches the terminal. */
static void clean_prompt(struct buf *to, struct span prompt)
{
    char *text = NULL;
    size_t n = 0;
    FILE *memory = open_memstream(&text, &n);
    say_clean(memory, prompt);
    fclose(memory);
    buf_add(to, text, n);
    free(text);
}

bool there_is_a_terminal(void)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty >= 0)
        close(tty);
    return tty >= 0;
}

bool secret_from_terminal(struct span prompt, struct secret *out, struct err *e)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty < 0)
        return err_set(e, ERR_SYSTEM,
                       "there is no terminal to ask on: pass the password on standard input, with \"exeat "
                       "login --stdin\"");
    struct buf clean;
    buf_init(&clean, 0);
    clean_prompt(&clean, prompt);
    bool taken = ask_on(tty, tty, buf_span(&clean), out, e);
    buf_free(&clean);
    close(tty);
    return taken;
}

bool secret_from_stdin(struct secret *out, struct err *e)
{
    if (isatty(STDIN_FILENO))
        return ask_on(STDIN_FILENO, STDERR_FILENO, SPAN("Password: "), out, e);
    enum line_end end = read_line(STDIN_FILENO, NULL, out);
    if (check_line(end, errno, out, e))
        return true;
    secret_free(out);
    return false;
}
