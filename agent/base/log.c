/*
 * The log: levels and tags. Each line is formatted whole (and cut at PIPE_BUF bytes) and leaves in one write, so that lines of several threads
 * never mix; or it is counted as lost, when whoever reads the log has stopped reading.
 */
#include "base/log.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

static const struct {
    const char *name;
    int syslog; /* the <N> of sd-daemon(3) */
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", 3},
    [LOG_LEVEL_WARNING] = {"warning", 4},
    [LOG_LEVEL_INFO] = {"info", 6},
    [LOG_LEVEL_DEBUG] = {"debug", 7},
};

static struct {
    const char *program;
    enum log_level level;
    bool journal;
    atomic_ulong lost; /* lines that nobody could take, and that was not said yet */
    atomic_ulong lost_ever;
} log_state = {.program = "exeat", .level = LOG_LEVEL_INFO};

/* JOURNAL_STREAM names the device and inode of the journal's stream; it is ours only when stderr is that very file. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long device, inode;
    struct stat st;
    return stream && sscanf(stream, "%lu:%lu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
           st.st_dev == device && st.st_ino == inode;
}

void log_start(const char *program)
{
    log_state.program = program;
    log_state.journal = stderr_is_journal();
}

bool log_is_journal(void)
{
    return log_state.journal;
}

void log_set_level(enum log_level level)
{
    log_state.level = level;
}

enum log_level log_get_level(void)
{
    return log_state.level;
}

bool log_level_parse(struct span name, enum log_level *out)
{
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (span_ieq(name, span_str(levels[i].name))) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

const char *log_level_name(enum log_level level)
{
    return levels[level].name;
}

static size_t add_prefix(char *line, size_t size, enum log_level level, const char *tag)
{
    int n;
    if (log_state.journal) {
        n = snprintf(line, size, "<%d>", levels[level].syslog);
    } else {
        struct timespec now;
        struct tm tm;
        char stamp[32];
        clock_gettime(CLOCK_REALTIME, &now);
        localtime_r(&now.tv_sec, &tm);
        strftime(stamp, sizeof stamp, "%H:%M:%S", &tm);
        n = snprintf(line, size, "%s.%03ld %s %s: ", stamp, now.tv_nsec / 1000000, log_state.program,
                     levels[level].name);
    }
    if (tag && *tag)
        n += snprintf(line + n, size - (size_t)n, "[%s] ", tag);
    return (size_t)n;
}

void log_add_prefix(struct buf *out, bool whole)
{
    char prefix[160];
    if (whole || log_state.journal)
        buf_add(out, prefix, add_prefix(prefix, sizeof prefix, LOG_LEVEL_INFO, NULL));
}

/* Writes if that does not block: a reader of our log that has stopped must not stop us. A pipe that polls writable takes PIPE_BUF bytes at once. */
static bool emit(const char *line, size_t n)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT))
        return false;
    return write(STDERR_FILENO, line, n) == (ssize_t)n;
}

bool log_line(enum log_level level, const char *tag, const char *format, ...)
{
    char line[PIPE_BUF];
    va_list args;
    if (level > log_state.level)
        return true;
    size_t prefix = add_prefix(line, sizeof line / 2, level, tag);
    va_start(args, format);
    int n = vsnprintf(line + prefix, sizeof line - prefix - 1, format, args);
    va_end(args);
    if (n < 0)
        return false;
    size_t length = prefix + (size_t)n < sizeof line - 2 ? prefix + (size_t)n : sizeof line - 2;
    for (size_t i = prefix; i < length; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[length++] = '\n';
    unsigned long lost = atomic_load(&log_state.lost);
    if (lost) {
        char note[160];
        size_t at = add_prefix(note, sizeof note / 2, LOG_LEVEL_WARNING, NULL);
        at += (size_t)snprintf(note + at, sizeof note - at,
                               "%lu lines of this log are missing: it was not read\n", lost);
        if (emit(note, at))
            atomic_fetch_sub(&log_state.lost, lost);
    }
    if (emit(line, length))
        return true;
    atomic_fetch_add(&log_state.lost, 1);
    atomic_fetch_add(&log_state.lost_ever, 1);
    return false;
}

unsigned long log_lost(void)
{
    return atomic_load(&log_state.lost_ever);
}
