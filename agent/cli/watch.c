/*
 * exeat watch: requests as they end, live from the running agent, as lines for people or as the agent's own JSON. Reads until the agent goes or the
 * reader of our output does. One thread.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/ask_agent.h"
#include "cli/say.h"
#include "cli/verb.h"

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

/* "14:02:07  200    35 ms  corp/NTLM (2 legs)  GET http://www.example/ - curl" */
static void put_line(struct buf *out, json_t *o)
{
    char clock[16], status[16];
    const char *event = text_of(o, "event", "");
    unsigned legs = (unsigned)number_of(o, "legs");
    local_clock(text_of(o, "time", ""), clock);
    uint64_t code = number_of(o, "status");
    snprintf(status, sizeof status, code ? "%3" PRIu64 : "---", code);
    bool end = strcmp(event, "tunnel-end") == 0;
    buf_addf(out, "%s  %s  %6" PRIu64 " ms  %s%s%s", clock, end ? "end" : status, number_of(o, "ms"),
             text_of(o, "route", "-"), *text_of(o, "scheme", "") ? "/" : "", text_of(o, "scheme", ""));
    if (legs > 1)
        buf_addf(out, " (%u legs)", legs);
    buf_addf(out, "  %s %s", text_of(o, "method", "-"), text_of(o, "target", "-"));
    if (end)
        buf_addf(out, ", %" PRIu64 " bytes up, %" PRIu64 " down", number_of(o, "bytes_up"),
                 number_of(o, "bytes_down"));
    if (*text_of(o, "program", ""))
        buf_addf(out, " - %s", text_of(o, "program", ""));
    if (*text_of(o, "note", "") && !end)
        buf_addf(out, " (%s)", text_of(o, "note", ""));
    buf_add_str(out, "\n");
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
    .help = "Shows each request when it is over: time, status, how long it took, the route and the scheme by "
            "which the proxy let it in, how "
            "many requests to the proxy that took (legs), and which program asked. Tunnels show twice, when "
            "they open and when they end. "
            "Queries of addresses are never shown. Runs until it is ended, or until the agent ends (exit "
            "code 4).\n"
            "\n"
            "With --json each line has these members, and may get more: event (request, tunnel, tunnel-end), "
            "legs, and all that [log] format "
            "= json writes: time, id, client, uid, guest, program, method, target, protocol, route, proxy, "
            "rule, scheme, status, bytes_up, "
            "bytes_down, ms, note. null is what is not known. Whoever reads too slowly gets "
            "{\"event\":\"missed\",\"lines\":N} in place of "
            "N lines.",
    .options = options,
    .run = run,
};
