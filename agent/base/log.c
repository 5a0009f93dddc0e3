/*
 * The log: levels, tags, and the one place where header values are made harmless.
 * Each line is formatted whole and leaves in one write, so that lines of several threads never mix.
 */
#include "base/log.h"

#include <stdarg.h>
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

static void add_prefix(struct buf *line, enum log_level level, const char *tag)
{
    if (log_state.journal) {
        buf_addf(line, "<%d>", levels[level].syslog);
    } else {
        struct timespec now;
        struct tm tm;
        char stamp[32];
        clock_gettime(CLOCK_REALTIME, &now);
        localtime_r(&now.tv_sec, &tm);
        strftime(stamp, sizeof stamp, "%H:%M:%S", &tm);
        buf_addf(line, "%s.%03ld %s %s: ", stamp, now.tv_nsec / 1000000, log_state.program, levels[level].name);
    }
    if (tag && *tag)
        buf_addf(line, "[%s] ", tag);
}

void log_line(enum log_level level, const char *tag, const char *format, ...)
{
    if (level > log_state.level)
        return;
    struct buf text = {.max = 16384}, line = {.max = 32768};
    va_list args;
    va_start(args, format);
    char first[512];
    int n = vsnprintf(first, sizeof first, format, args);
    va_end(args);
    if (n < 0)
        return;
    if ((size_t)n < sizeof first) {
        buf_add(&text, first, (size_t)n);
    } else if (buf_reserve(&text, (size_t)n + 1)) {
        va_start(args, format);
        vsnprintf(text.p, (size_t)n + 1, format, args);
        va_end(args);
        text.n = (size_t)n;
    }
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
            text.p[i] = '?';
    add_prefix(&line, level, tag);
    buf_add_span(&line, buf_span(&text));
    buf_add(&line, "\n", 1);
    ssize_t written = write(STDERR_FILENO, line.p, line.n);
    (void)written; /* a full or closed stderr has no better place to complain to */
    buf_free(&text);
    buf_free(&line);
}

void log_field_value(struct buf *out, struct span name, struct span value)
{
    static const struct span with_scheme[] = {
        {"Proxy-Authorization", 19}, {"Authorization", 13},
        {"Proxy-Authenticate", 18},  {"WWW-Authenticate", 16},
    };
    static const struct span opaque[] = {
        {"Cookie", 6}, {"Set-Cookie", 10}, {"Proxy-Authentication-Info", 25}, {"Authentication-Info", 19},
    };
    for (size_t i = 0; i < sizeof with_scheme / sizeof *with_scheme; i++) {
        if (span_ieq(name, with_scheme[i])) {
            struct span rest = value, scheme = span_word(&rest);
            buf_addf(out, "%.*s (%zu bytes)", SPAN_ARG(span_head(scheme, 32)), span_trim(rest).n);
            return;
        }
    }
    for (size_t i = 0; i < sizeof opaque / sizeof *opaque; i++) {
        if (span_ieq(name, opaque[i])) {
            buf_addf(out, "(%zu bytes)", value.n);
            return;
        }
    }
    buf_add_span(out, span_head(value, 200));
    if (value.n > 200)
        buf_add_str(out, "...");
}
