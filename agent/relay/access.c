/*
 * The forms of a line about a request, and its way to the sink. "common" is the format that NCSA's server began, which everything that reads web servers'
 * logs knows; behind its seven fields stand five more, the first three in quotes: route, scheme, program, milliseconds, bytes of the request.
 */
#include "relay/access.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/log.h"

#define TARGET_SHOWN ((size_t)512) /* bytes, before they are escaped */
#define TEXT_SHOWN   ((size_t)100)
#define LINE_USUAL   ((size_t)1024)
#define STOP_MS      1000

/* --- what of a target may be seen --- */

/* Without query and fragment, where tokens and names stand, and without user information, which is a name and a password (RFC 9110 section 4.2.4). */
static void put_target(struct buf *out, struct span target)
{
    target = span_head(target, span_find(target, '?'));
    target = span_head(target, span_find(target, '#'));
    const char *slashes = target.n ? memmem(target.p, target.n, "://", 3) : NULL;
    size_t scheme = slashes ? (size_t)(slashes - target.p) + 3 : 0;
    struct span rest = span_from(target, scheme);
    size_t authority = span_find(rest, '/');
    size_t at = span_rfind(span_head(rest, authority), '@');
    buf_add_span(out, span_head(target, scheme));
    buf_add_span(out, span_from(rest, at < authority ? at + 1 : 0));
}

/* --- the forms --- */

static void put_local_time(struct buf *out, const struct timespec *at, const char *format)
{
    struct tm tm;
    char text[40] = "";
    localtime_r(&at->tv_sec, &tm);
    strftime(text, sizeof text, format, &tm);
    buf_add_str(out, text);
}

static void put_remark(struct buf *out, bool *first, struct span text)
{
    if (!text.n)
        return;
    buf_add_str(out, *first ? "" : ", ");
    buf_add_span(out, text);
    *first = false;
}

static struct span or_dash(struct span text)
{
    return text.n ? text : SPAN("-");
}

/* Who it is, where it is known by a name: never both. */
static struct span somebody(const struct access *a)
{
    return a->user.n ? a->user : a->guest;
}

static void put_plain(struct buf *out, const struct access *a, struct span target)
{
    bool first = true;
    size_t begin = out->n;
    buf_addf(out, "[%s] %.*s%s", a->tag, SPAN_ARG(somebody(a)), somebody(a).n ? ": " : "");
    if (a->tunnel)
        buf_addf(out, "tunnel to %.*s closed: %" PRIu64 " bytes up, %" PRIu64 " down, %" PRIu64 " ms (",
                 SPAN_ARG(target), a->up, a->down, a->milliseconds);
    else
        buf_addf(out, "%.*s %.*s: %u, %" PRIu64 " bytes, %" PRIu64 " ms (", SPAN_ARG(or_dash(a->method)),
                 SPAN_ARG(or_dash(target)), a->status, a->down, a->milliseconds);
    put_remark(out, &first, a->why);
    put_remark(out, &first, a->note);
    buf_add_str(out, ")");
    if (a->scheme.n)
        buf_addf(out, " by %.*s", SPAN_ARG(a->scheme));
    if (a->uid_known)
        buf_addf(out, " for uid %u%s%.*s", a->uid, a->program.n ? " " : "", SPAN_ARG(a->program));
    for (size_t i = begin; i < out->n; i++)
        if ((unsigned char)out->p[i] < 0x20 || out->p[i] == 0x7F)
            out->p[i] = '?';
}

/* The address without the port. */
static struct span host_of(struct span peer)
{
    struct span host = span_head(peer, span_rfind(peer, ':'));
    if (host.n > 1 && host.p[0] == '[')
        host = span_make(host.p + 1, host.n - 2);
    return host;
}

static void put_quoted(struct buf *out, const char *before, struct span text)
{
    buf_addf(out, "%s\"", before);
    escape_quoted(out, or_dash(text));
    buf_add_str(out, "\"");
}

static void put_common(struct buf *out, const struct access *a, struct span target)
{
    escape_word(out, host_of(a->peer));
    buf_add_str(out, " - ");
    if (a->uid_known)
        buf_addf(out, "%u ", a->uid);
    else
        escape_word(out, somebody(a));
    buf_add_str(out, a->uid_known ? "" : " ");
    put_local_time(out, &a->at, "[%d/%b/%Y:%H:%M:%S %z]");
    if (a->method.n) {
        buf_add_str(out, " \"");
        escape_quoted(out, a->method);
        buf_add_str(out, " ");
        escape_quoted(out, target);
        buf_add_str(out, " ");
        escape_quoted(out, a->protocol);
        buf_add_str(out, "\" ");
    } else {
        buf_add_str(out, " \"-\" ");
    }
    if (a->status)
        buf_addf(out, "%u ", a->status);
    else
        buf_add_str(out, "- ");
    buf_addf(out, "%" PRIu64, a->down);
    put_quoted(out, " ", a->route);
    put_quoted(out, " ", a->scheme);
    put_quoted(out, " ", a->program);
    buf_addf(out, " %" PRIu64 " %" PRIu64, a->milliseconds, a->up);
}

static void put_member(struct buf *out, const char *name, struct span text)
{
    buf_addf(out, ",\"%s\":", name);
    if (!text.n) {
        buf_add_str(out, "null");
        return;
    }
    buf_add_str(out, "\"");
    escape_json(out, text);
    buf_add_str(out, "\"");
}

/* The time as in RFC 3339, in UTC. */
static void put_json(struct buf *out, const struct access *a, struct span target)
{
    struct tm tm;
    char stamp[40] = "";
    gmtime_r(&a->at.tv_sec, &tm);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
    buf_addf(out, "{\"time\":\"%s.%03ldZ\"", stamp, a->at.tv_nsec / 1000000);
    put_member(out, "id", span_str(a->tag));
    put_member(out, "client", a->peer);
    if (a->uid_known)
        buf_addf(out, ",\"uid\":%u", a->uid);
    else
        buf_add_str(out, ",\"uid\":null");
    put_member(out, "guest", a->guest);
    put_member(out, "user", a->user);
    put_member(out, "program", a->program);
    put_member(out, "method", a->method);
    put_member(out, "target", target);
    put_member(out, "protocol", a->protocol);
    put_member(out, "route", a->route);
    put_member(out, "proxy", a->proxy);
    put_member(out, "rule", a->why);
    put_member(out, "scheme", a->scheme);
    if (a->status)
        buf_addf(out, ",\"status\":%u", a->status);
    else
        buf_add_str(out, ",\"status\":null");
    buf_addf(out, ",\"bytes_up\":%" PRIu64 ",\"bytes_down\":%" PRIu64 ",\"ms\":%" PRIu64, a->up, a->down,
             a->milliseconds);
    put_member(out, "note", a->note);
    buf_add_str(out, "}");
}

static void format_within(struct buf *out, enum log_format format, const struct access *a, size_t target_most,
                          size_t text_most)
{
    static void (*const forms[])(struct buf * out, const struct access *a, struct span target) = {
        [LOG_FORMAT_PLAIN] = put_plain, [LOG_FORMAT_COMMON] = put_common, [LOG_FORMAT_JSON] = put_json};
    struct buf target = {0};
    struct access cut = *a;
    put_target(&target, a->target);
    struct span *const texts[] = {&cut.method, &cut.guest, &cut.user,   &cut.program, &cut.route,
                                  &cut.proxy,  &cut.why,   &cut.scheme, &cut.note,    NULL};
    for (size_t i = 0; texts[i]; i++)
        *texts[i] = span_head(*texts[i], text_most);
    forms[format](out, &cut, span_head(buf_span(&target), target_most));
    buf_free(&target);
}

/* A line must leave in one write. What is all quotes and strange bytes grows to six times its length, and is cut shorter. */
void access_format(struct buf *out, enum log_format format, const struct access *a)
{
    size_t begin = out->n;
    format_within(out, format, a, TARGET_SHOWN, TEXT_SHOWN);
    if (out->n - begin <= ACCESS_LINE_MOST)
        return;
    out->n = begin;
    format_within(out, format, a, TARGET_SHOWN / 4, TEXT_SHOWN / 4);
}

/* --- a copy --- */

struct access *access_keep(const struct access *a)
{
    struct access copy = *a;
    struct span *const texts[] = {&copy.peer,     &copy.guest,  &copy.user,  &copy.program, &copy.method,
                                  &copy.protocol, &copy.target, &copy.route, &copy.proxy,   &copy.why,
                                  &copy.scheme,   &copy.note,   NULL};
    size_t tag = strlen(a->tag) + 1, n = sizeof copy + tag;
    for (size_t i = 0; texts[i]; i++)
        n += texts[i]->n;
    char *memory = mem_alloc(n), *at = memory + sizeof copy;
    copy.tag = memcpy(at, a->tag, tag);
    at += tag;
    for (size_t i = 0; texts[i]; i++) {
        if (texts[i]->n)
            memcpy(at, texts[i]->p, texts[i]->n);
        texts[i]->p = at;
        at += texts[i]->n;
    }
    return memcpy(memory, &copy, sizeof copy);
}

/* --- the log --- */

bool access_log_open(const struct config *c, int *fd, struct err *e)
{
    *fd = -1;
    if (!c->log_file || !c->log_requests)
        return true;
    *fd = sink_open(c->log_file, e);
    return *fd >= 0;
}

void access_log_set(struct access_log *log, const struct config *c, int fd)
{
    struct buf what = {0};
    log->own_file = fd >= 0;
    log->on = c->log_requests;
    log->format = c->log_format;
    buf_addf(&what, fd >= 0 ? "the log of requests (%s)" : "the log of requests", c->log_file);
    if (log->sink)
        sink_turn(log->sink, fd >= 0 ? fd : STDERR_FILENO, buf_cstr(&what));
    else
        log->sink = sink_start(fd >= 0 ? fd : STDERR_FILENO, buf_cstr(&what));
    buf_free(&what);
}

bool access_log_stop(struct access_log *log)
{
    bool stopped = sink_stop(log->sink, STOP_MS);
    log->sink = NULL;
    return stopped;
}

/* In a file of its own each line has a date; beside the other lines of the log, what these have. */
static void put_prefix(struct buf *out, const struct access_log *log, const struct access *a)
{
    if (!log->own_file) {
        log_add_prefix(out, log->format == LOG_FORMAT_PLAIN);
    } else if (log->format == LOG_FORMAT_PLAIN) {
        put_local_time(out, &a->at, "%Y-%m-%d %H:%M:%S");
        buf_addf(out, ".%03ld ", a->at.tv_nsec / 1000000);
    }
}

bool access_log_wanted(const struct access_log *log)
{
    return log->on || log->watched;
}

static bool is_written(const struct access_log *log, const struct access *a)
{
    return log->on && log->sink && (log->own_file || log_get_level() >= LOG_LEVEL_INFO) &&
           (!a->begins || log->format == LOG_FORMAT_PLAIN);
}

void access_log_write(const struct access_log *log, struct access *a)
{
    struct buf line = {0};
    if (!a->at.tv_sec)
        clock_gettime(CLOCK_REALTIME, &a->at);
    if (log->watched)
        log->watched(log->watched_owner, a);
    if (!is_written(log, a))
        return;
    buf_reserve(&line, LINE_USUAL);
    put_prefix(&line, log, a);
    access_format(&line, log->format, a);
    sink_add(log->sink, buf_span(&line));
    buf_free(&line);
}
