/*
 * One waiting line on a terminal. The thread sleeps until a step begins, then a second at a time; it alone and progress_on write, under one lock.
 */
#include "cli/progress.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    const char *what; /* NULL: nothing */
    unsigned number;  /* of the step, so that a new one is told from the old */
    bool running, over, shown;
    bool plain; /* the terminal cannot go back on its line */
} p = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void wait_second(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec++;
    pthread_cond_timedwait(&p.changed, &p.lock, &until);
}

/* The line stands where it can be wiped away; else it is said once, and stays. */
static void show(unsigned seconds)
{
    struct winsize w;
    char line[160];
    snprintf(line, sizeof line, "  %s: %u s ...", p.what, seconds);
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0;
    int most = known && w.ws_col <= sizeof line ? w.ws_col - 1 : (int)sizeof line;
    if (p.plain && seconds == 1)
        fprintf(stderr, "  %s ...\n", p.what);
    if (!p.plain)
        fprintf(stderr, "\r%.*s\033[K", most, line);
    p.shown = !p.plain;
}

static void *watch(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&p.lock);
    unsigned number = 0, seconds = 0;
    while (!p.over) {
        if (!p.what) {
            pthread_cond_wait(&p.changed, &p.lock);
            continue;
        }
        seconds = number == p.number ? seconds : 0;
        number = p.number;
        wait_second();
        if (p.what && number == p.number && !p.over) {
            show(++seconds);
        }
    }
    pthread_mutex_unlock(&p.lock);
    return NULL;
}

void progress_start(void)
{
    pthread_condattr_t monotonic;
    sigset_t all, before;
    if (p.running || !isatty(STDERR_FILENO))
        return;
    const char *terminal = getenv("TERM");
    p.plain = terminal && strcmp(terminal, "dumb") == 0;
    p.over = p.shown = false;
    p.what = NULL;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    sigfillset(&all); /* signals are for the thread that waits for a person */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    p.running = pthread_create(&p.thread, NULL, watch, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void progress_on(const char *what)
{
    if (!p.running)
        return;
    pthread_mutex_lock(&p.lock);
    p.what = what;
    p.number++;
    if (p.shown)
        fputs("\r\033[K", stderr);
    p.shown = false;
    pthread_cond_signal(&p.changed);
    pthread_mutex_unlock(&p.lock);
}

void progress_stop(void)
{
    if (!p.running)
        return;
    progress_on(NULL);
    pthread_mutex_lock(&p.lock);
    p.over = true;
    pthread_cond_signal(&p.changed);
    pthread_mutex_unlock(&p.lock);
    pthread_join(p.thread, NULL);
    pthread_cond_destroy(&p.changed);
    p.running = false;
}

static unsigned depth; /* of waits; the first one speaks */
static bool ours;

void progress_begin(const char *what)
{
    if (depth++ > 0 || p.running)
        return;
    ours = true;
    progress_start();
    progress_on(what);
}

void progress_end(void)
{
    if (--depth > 0 || !ours)
        return;
    ours = false;
    progress_stop();
}
