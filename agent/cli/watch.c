/*
 * exeat watch: requests as they end, live from the running agent, as lines for people or as the agent's own JSON. Reads until the agent goes or the
 * reader of our output does. One thread.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/ask_agent.h"
#include "cli/say.h"
#include "cli/verb.h"

#define TARGET_LEAST ((size_t)16) /* columns */

static const char *text_of(json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text && *text ? text : otherwise;
}

static uint64_t number_of(json_t *object, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(object, key));
    return n > 0 ? (uint64_t)n : 0;
}

/* The clock of the time in `stamp` (RFC 3339, UTC), as it is here. */
static void local_clock(const char *stamp, char clock[16])
{
    struct tm tm = {0};
    snprintf(clock, 16, "--:--:--");
    if (!strptime(stamp, "%Y-%m-%dT%H:%M:%S", &tm))
        return;
    time_t at = timegm(&tm);
    localtime_r(&at, &tm);
    strftime(clock, 16, "%H:%M:%S", &tm);
}

/* What a peer has chosen, on one line: nothing of it begins another. */
static void put_text(struct buf *out, const char *text)
{
    for (; *text; text++)
        buf_add(out, (unsigned char)*text < ' ' ? "?" : text, 1);
}

/* "14:02:07  200    35 ms  corp/NTLM (2 legs)  GET ", "http://www.example/", " - curl" */
struct shown {
    struct buf front, target, end;
};

static void put_front(struct buf *out, json_t *o, bool end)
{
    char clock[16], status[16];
    uint64_t code = number_of(o, "status"), legs = number_of(o, "legs");
    local_clock(text_of(o, "time", ""), clock);
    snprintf(status, sizeof status, code ? "%3" PRIu64 : "---", code);
    buf_addf(out, "%s  %s  %6" PRIu64 " ms  ", clock, end ? "end" : status, number_of(o, "ms"));
    put_text(out, text_of(o, "route", "-"));
    buf_add_str(out, *text_of(o, "scheme", "") ? "/" : "");
    put_text(out, text_of(o, "scheme", ""));
    if (legs > 1)
        buf_addf(out, " (%" PRIu64 " legs)", legs);
    buf_add_str(out, "  ");
    put_text(out, text_of(o, "method", "-"));
    buf_add_str(out, " ");
}

static void put_end(struct buf *out, json_t *o, bool end)
{
    const char *program = text_of(o, "program", ""), *note = text_of(o, "note", "");
    const char *user = text_of(o, "user", "");
    if (end)
        buf_addf(out, ", %" PRIu64 " bytes up, %" PRIu64 " down", number_of(o, "bytes_up"),
                 number_of(o, "bytes_down"));
    buf_add_str(out, *program ? " - " : "");
    put_text(out, program);
    buf_add_str(out, *user ? " for " : "");
    put_text(out, user);
    if (*note && !end) {
        buf_add_str(out, " (");
        put_text(out, note);
        buf_add_str(out, ")");
    }
}

/* UTF-8 characters; all are taken to be as wide as one column. */
static size_t columns(struct span text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += ((unsigned char)text.p[i] & 0xC0) != 0x80;
    return n;
}

static struct span first_columns(struct span text, size_t n)
{
    size_t i = 0;
    while (i < text.n && (n || ((unsigned char)text.p[i] & 0xC0) == 0x80)) {
        n -= ((unsigned char)text.p[i] & 0xC0) != 0x80;
        i++;
    }
    return span_head(text, i);
}

/* Of the terminal as it is now; 0: it is none, and lines are whole. */
static size_t width(void)
{
    struct winsize size;
    return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* One line of the terminal: the target gives way first, down to TARGET_LEAST, and then the end of the line. */
static void put_fitting(struct buf *out, const struct shown *s)
{
    struct buf line = {0};
    struct span target = buf_span(&s->target);
    size_t room = width(), others = columns(buf_span(&s->front)) + columns(buf_span(&s->end));
    size_t left = room > others + TARGET_LEAST ? room - others : TARGET_LEAST;
    bool cut = room && columns(target) > left;
    buf_add_span(&line, buf_span(&s->front));
    buf_add_span(&line, cut ? first_columns(target, left - 1) : target);
    buf_add_str(&line, cut ? "\u2026" : "");
    buf_add_span(&line, buf_span(&s->end));
    cut = room && columns(buf_span(&line)) > room;
    buf_add_span(out, cut ? first_columns(buf_span(&line), room - 1) : buf_span(&line));
    buf_add_str(out, cut ? "\u2026\n" : "\n");
    buf_free(&line);
}

static void put_line(struct buf *out, json_t *o)
{
    struct shown s = {0};
    bool end = strcmp(text_of(o, "event", ""), "tunnel-end") == 0;
    put_front(&s.front, o, end);
    put_text(&s.target, text_of(o, "target", "-"));
    put_end(&s.end, o, end);
    put_fitting(out, &s);
    buf_free(&s.front);
    buf_free(&s.target);
    buf_free(&s.end);
}

/* false: nobody reads us any more. */
static bool show(json_t *o, struct span raw, bool json)
{
    struct buf line = {0};
    if (json)
        buf_addf(&line, "%.*s\n", SPAN_ARG(raw));
    else if (strcmp(text_of(o, "event", ""), "missed") == 0)
        buf_addf(&line, "(%" PRIu64 " lines were missed: this terminal reads too slowly)\n",
                 number_of(o, "lines"));
    else
        put_line(&line, o);
    say_clean(stdout, buf_span(&line));
    buf_free(&line);
    return fflush(stdout) == 0;
}

static int follow(struct control_link *l, bool json)
{
    struct err e = {0};
    struct span raw;
    json_t *object;
    bool read = true;
    while (read && (object = control_next(l, &raw, &e))) {
        read = show(object, raw, json);
        json_decref(object);
    }
    return read ? say_failure(&e) : EXIT_FAILED;
}

static int run(const struct verb_call *call)
{
    struct err e = {0};
    bool json = verb_given(call, "json");
    struct control_link *l = open_agent(&e);
    json_t *answer = l ? question_agent(l, "watch", &e) : NULL;
    int code = EXIT_FAILED;
    if (!answer) {
        code = say_failure(&e);
    } else {
        if (!json && isatty(STDOUT_FILENO))
            fputs("Requests as they end; Ctrl-C ends this.\n", stderr);
        code = follow(l, json);
    }
    json_decref(answer);
    control_close(l);
    return code;
}

static const struct verb_option options[] = {
    {"json", 0, NULL, "one JSON object on each line"},
    {0},
};

const struct verb watch_verb = {
    .name = "watch",
    .arguments = "",
    .summary = "Show requests as they go through the agent",
    .help =
        "Shows each request when it is over: time, status, how long it took, the route and the scheme by "
        "which the proxy let it in, how "
        "many requests to the proxy that took (legs), and which program asked. Tunnels show twice, when "
        "they open and when they end. "
        "Queries of addresses are never shown. Runs until it is ended, or until the agent ends (exit "
        "code 4). On a terminal a line is as long as that is wide, and long addresses are cut.\n"
        "\n"
        "With --json each line has these members, and may get more: event (request, tunnel, tunnel-end), "
        "legs, and all that [log] format "
        "= json writes: time, id, client, uid, guest, user, program, method, target, protocol, route, proxy, "
        "rule, scheme, status, bytes_up, "
        "bytes_down, ms, note. null is what is not known. Whoever reads too slowly gets "
        "{\"event\":\"missed\",\"lines\":N} in place of "
        "N lines.",
    .options = options,
    .run = run,
};
