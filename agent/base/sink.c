/*
 * The queue is one buffer of whole lines: whoever adds and the writer meet at its lock, and the writer takes the buffer away and leaves an empty one. A
 * pipe or terminal that nobody reads is waited for in poll(2), beside an eventfd by which sink_stop wakes the writer; a file system that hangs can
 * be waited for by nothing but patience. Lines to something other than a file leave one by one, each in a single write (see log.c).
 */
#include "base/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"

#define GATHER_NS                                                                                            \
    2000000 /* from the first line until it is written: those that follow at once cost no wake-up */
#define KEPT_WHILE_IDLE ((size_t)16 << 10) /* bytes of a buffer that is not given back */

struct place {
    int fd;
    char *what;
};

struct sink {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct buf queued;
    bool turning; /* there is a next place, for what stands from `turn_at` on */
    size_t turn_at;
    struct place next;
    bool stopping;
    int stop_told;        /* eventfd */
    atomic_llong stop_at; /* ms of the monotonic clock: no more waiting then */
    atomic_ullong lost;
    /* the writer's own */
    struct place at;
    bool is_file;
    bool torn;   /* the last write left half a line */
    bool failed; /* and that was said */
    unsigned long long lost_told;
};

int sink_open(const char *path, struct err *e)
{
    struct stat st;
    /* Not to wait for the reader of a pipe; it changes nothing for a file. */
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    int error = errno;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    if (fd >= 0)
        close(fd);
    if (fd >= 0 || error == EISDIR || error == ENXIO) /* ENXIO: a pipe that nobody reads, or a socket */
        err_set(e, ERR_SYSTEM,
                "cannot write the log of requests: %s is no regular file; take it away, or name another in "
                "[log] file",
                path);
    else if (error == ENOENT)
        err_set(e, ERR_SYSTEM,
                "cannot open the log of requests, %s: No such file or directory; make its directory", path);
    else
        err_errno(e, ERR_SYSTEM, error, "cannot open the log of requests, %s", path);
    return -1;
}

/* --- the writer --- */

static void set_place(struct sink *s, struct place to)
{
    struct stat st;
    s->at = to;
    s->is_file = fstat(to.fd, &st) == 0 && S_ISREG(st.st_mode);
    s->torn = s->failed = false;
}

static void leave_place(struct sink *s)
{
    if (s->at.fd != STDERR_FILENO)
        close(s->at.fd);
    free(s->at.what);
}

static size_t count_lines(struct span lines)
{
    size_t n = 0;
    for (size_t i = 0; i < lines.n; i++)
        n += lines.p[i] == '\n';
    return n;
}

static void lose(struct sink *s, struct span lines)
{
    atomic_fetch_add(&s->lost, count_lines(lines));
}

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Waits until it can be written; once we are to stop, only for as long as that may take. */
static bool is_writable(struct sink *s)
{
    struct pollfd fds[] = {{.fd = s->at.fd, .events = POLLOUT}, {.fd = s->stop_told, .events = POLLIN}};
    int patience = -1;
    for (;;) {
        int n = poll(fds, 2, patience);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0 && fds[0].revents)
            return fds[0].revents & POLLOUT;
        if (n == 0)
            return false;
        if (fds[1].revents) { /* it stays readable: from here on the clock decides */
            fds[1].fd = -1;
            patience = (int)(atomic_load(&s->stop_at) - now_ms());
            if (patience < 0)
                return false;
        }
    }
}

/* How much of it went out. */
static size_t put(struct sink *s, struct span bytes)
{
    size_t done = 0;
    while (done < bytes.n) {
        if (!s->is_file && !is_writable(s))
            break;
        ssize_t n = write(s->at.fd, bytes.p + done, bytes.n - done);
        if (n < 0 && (errno == EINTR || (errno == EAGAIN && !s->is_file)))
            continue;
        if (n <= 0) {
            if (!s->failed)
                log_error(NULL, "%s cannot be written: %s; its lines are lost until it can", s->at.what,
                          strerror(errno));
            s->failed = true;
            break;
        }
        done += (size_t)n;
    }
    return done;
}

/* Whole lines. A line of which only a part went out is a lost one, and ends before the next begins. */
static bool put_lines(struct sink *s, struct span lines)
{
    if (s->torn && put(s, SPAN("\n")) == 0) {
        lose(s, lines);
        return false;
    }
    s->torn = false;
    size_t done = put(s, lines);
    if (done == lines.n)
        return true;
    s->torn = done > 0 && lines.p[done - 1] != '\n';
    lose(s, span_from(lines, done));
    return false;
}

static void put_all(struct sink *s, struct span lines)
{
    bool good = true;
    if (s->is_file) {
        good = lines.n == 0 || put_lines(s, lines);
    } else {
        while (lines.n) {
            size_t end = span_find(lines, '\n') + 1;
            good = put_lines(s, span_head(lines, end));
            lines = span_from(lines, end);
        }
    }
    if (good && s->failed)
        log_info(NULL, "%s can be written again", s->at.what);
    s->failed = s->failed && !good;
    unsigned long long lost = atomic_load(&s->lost);
    if (good && lost > s->lost_told &&
        log_warning(NULL, "%llu lines are missing in %s: it could not take them", lost - s->lost_told,
                    s->at.what))
        s->lost_told = lost;
}

/* What one round has to write, and then where to go. */
struct round {
    struct buf lines;
    size_t turn_at;
    bool turning, last;
    struct place next;
};

static void take_round(struct sink *s, struct round *r)
{
    struct buf empty = r->lines;
    buf_clear(&empty);
    pthread_mutex_lock(&s->lock);
    bool slept = false;
    while (!s->queued.n && !s->turning && !s->stopping) {
        pthread_cond_wait(&s->work, &s->lock);
        slept = true;
    }
    if (slept && !s->stopping) {
        pthread_mutex_unlock(&s->lock);
        nanosleep(&(struct timespec){.tv_nsec = GATHER_NS}, NULL);
        pthread_mutex_lock(&s->lock);
    }
    *r = (struct round){.lines = s->queued,
                        .turn_at = s->turning ? s->turn_at : s->queued.n,
                        .turning = s->turning,
                        .last = s->stopping && !s->queued.n,
                        .next = s->next};
    s->turning = false;
    s->queued = empty;
    pthread_mutex_unlock(&s->lock);
}

static void *run(void *owner)
{
    struct sink *s = owner;
    struct round r = {0};
    do {
        if (r.lines.cap > KEPT_WHILE_IDLE)
            buf_free(&r.lines);
        take_round(s, &r);
        put_all(s, span_head(buf_span(&r.lines), r.turn_at));
        if (!r.turning)
            continue;
        leave_place(s);
        set_place(s, r.next);
        put_all(s, span_from(buf_span(&r.lines), r.turn_at));
    } while (!r.last);
    buf_free(&r.lines);
    return NULL;
}

/* --- the others --- */

struct sink *sink_start(int fd, const char *what)
{
    struct sink *s = mem_zero(sizeof *s);
    sigset_t all, before;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->work, NULL);
    s->stop_told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    set_place(s, (struct place){fd, mem_strdup(what)});
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the thread has no use for any */
    int error = pthread_create(&s->thread, NULL, run, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!error)
        return s;
    log_error(NULL, "no thread for the log of requests: %s; nothing is written to it", strerror(error));
    s->thread = 0;
    return s;
}

void sink_turn(struct sink *s, int fd, const char *what)
{
    pthread_mutex_lock(&s->lock);
    if (s->turning) { /* the writer has not even begun with that one: its lines go to the latest */
        if (s->next.fd != STDERR_FILENO)
            close(s->next.fd);
        free(s->next.what);
    } else {
        s->turn_at = s->queued.n;
    }
    s->turning = true;
    s->next = (struct place){fd, mem_strdup(what)};
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
}

bool sink_add(struct sink *s, struct span line)
{
    pthread_mutex_lock(&s->lock);
    bool fits = s->queued.n + line.n < SINK_BYTES_MOST;
    bool sleeps = s->queued.n == 0;
    if (fits) {
        buf_add_span(&s->queued, line);
        buf_add(&s->queued, "\n", 1);
    }
    if (fits && sleeps)
        pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
    if (!fits)
        atomic_fetch_add(&s->lost, 1);
    return fits;
}

uint64_t sink_lost(const struct sink *s)
{
    return s ? atomic_load(&s->lost) : 0;
}

static bool has_ended(struct sink *s, unsigned milliseconds)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += milliseconds / 1000;
    end.tv_nsec += (long)(milliseconds % 1000) * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    return !s->thread || pthread_timedjoin_np(s->thread, NULL, &end) == 0;
}

bool sink_stop(struct sink *s, unsigned milliseconds)
{
    if (!s)
        return true;
    atomic_store(&s->stop_at,
                 now_ms() + milliseconds / 2); /* the other half is for what cannot be interrupted */
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    eventfd_write(s->stop_told, 1);
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
    if (!has_ended(s, milliseconds))
        return false;
    leave_place(s);
    close(s->stop_told);
    buf_free(&s->queued);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->work);
    free(s);
    return true;
}
