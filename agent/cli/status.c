/*
 * exeat status: what the running agent says of itself, in words or as the JSON object that it sent.
 */
#include "cli/status.h"

#include <inttypes.h>

#include "cli/ask_agent.h"
#include "cli/say.h"
#include "cli/verb.h"

static const char *text_of(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static uint64_t number_of(json_t *object, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(object, key));
    return n > 0 ? (uint64_t)n : 0;
}

static void count(struct buf *out, uint64_t n, const char *noun)
{
    buf_addf(out, "%" PRIu64 " %s%s", n, noun, n == 1 ? "" : "s");
}

static void duration(struct buf *out, uint64_t seconds)
{
    static const struct {
        uint64_t seconds;
        const char *noun;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    size_t i = 0;
    while (units[i].seconds > 1 && seconds < units[i].seconds)
        i++;
    count(out, seconds / units[i].seconds, units[i].noun);
    uint64_t rest = seconds % units[i].seconds;
    if (units[i].seconds > 60 && rest >= units[i + 1].seconds) {
        buf_add_str(out, " and ");
        count(out, rest / units[i + 1].seconds, units[i + 1].noun);
    }
}

static void bytes(struct buf *out, uint64_t n)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    uint64_t rest = 0;
    for (; n >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++) {
        rest = n % 1024;
        n /= 1024;
    }
    if (unit)
        buf_addf(out, "%" PRIu64 ".%" PRIu64 " %s", n, rest * 10 / 1024, units[unit]);
    else
        buf_addf(out, "%" PRIu64 " %s", n, units[unit]);
}

static void names(struct buf *out, json_t *list)
{
    json_t *name;
    size_t i;
    json_array_foreach(list, i, name)
    {
        const char *text = json_string_value(name);
        buf_addf(out, "%s %s", i ? "," : "", text ? text : "?");
    }
}

static void say_switch(struct buf *out, json_t *answer)
{
    if (json_is_false(json_object_get(answer, "on")))
        buf_addf(out, "Switched off: requests %s, until \"exeat on\".\n",
                 strcmp(text_of(answer, "when_off"), "refuse") == 0 ? "are refused" : "go direct");
}

static void introduce(struct buf *out, json_t *answer)
{
    buf_addf(out, "exeat %s is running (process %" PRIu64 ", for ", text_of(answer, "version"),
             number_of(answer, "pid"));
    duration(out, number_of(answer, "uptime"));
    const char *config = text_of(answer, "config");
    buf_addf(out, "),\nconfigured by %s.\n", *config ? config : "the environment");
    buf_add_str(out, "Listening on");
    names(out, json_object_get(answer, "listening"));
    if (json_array_size(json_object_get(answer, "socks"))) {
        buf_add_str(out, "; SOCKS on");
        names(out, json_object_get(answer, "socks"));
    }
    if (json_array_size(json_object_get(answer, "metrics"))) {
        buf_add_str(out, "; figures on");
        names(out, json_object_get(answer, "metrics"));
    }
    buf_add_str(out, ".\n");
    say_switch(out, answer);
}

static void line(struct buf *out, const char *label, const char *text)
{
    if (*text)
        buf_addf(out, "  %-12s  %s\n", label, text);
}

static void proxy_line(struct buf *out, json_t *proxy)
{
    const char *state = text_of(proxy, "state");
    buf_addf(out, "  %-12s  %s%s%s, ", "proxy", text_of(proxy, "proxy"), *state ? ": " : "", state);
    count(out, number_of(proxy, "busy"), "busy connection");
    buf_addf(out, " and %" PRIu64 " idle", number_of(proxy, "idle"));
    uint64_t spare = number_of(proxy, "spare"), waiting = number_of(proxy, "waiting");
    if (spare)
        buf_addf(out, ", %" PRIu64 " ready ahead of need", spare);
    if (waiting)
        buf_addf(out, ", %" PRIu64 " waiting for one", waiting);
    uint64_t users = number_of(proxy, "users");
    if (users)
        buf_addf(out, ", some of them of %" PRIu64 " user%s of gateways", users, users == 1 ? "" : "s");
    buf_add_str(out, "\n");
}

static void upstream_paragraph(struct buf *out, json_t *upstream)
{
    json_t *proxy;
    size_t i;
    buf_addf(out, "\nUpstream %s\n", text_of(upstream, "name"));
    if (strcmp(text_of(upstream, "mode"), "direct") == 0)
        line(out, "mode", "direct: no proxy can be reached; taken back when one answers");
    bool alarm = json_is_true(json_object_get(upstream, "alarm"));
    line(out, alarm ? "ALARM" : "state", text_of(upstream, "state"));
    line(out, "what to do", text_of(upstream, "remedy"));
    uint64_t held = number_of(upstream, "held");
    if (held)
        buf_addf(out, "  %-12s  %" PRIu64 " CONNECT%s, for the password\n", "waiting", held,
                 held == 1 ? "" : "s");
    line(out, "you are", text_of(upstream, "identity"));
    line(out, "signs in by", text_of(upstream, "scheme"));
    json_array_foreach(json_object_get(upstream, "proxies"), i, proxy) proxy_line(out, proxy);
}

static void pac_paragraph(struct buf *out, json_t *pac)
{
    const char *place = text_of(pac, "script"), *found = text_of(pac, "found");
    json_int_t age = json_integer_value(json_object_get(pac, "age"));
    buf_addf(out, "\nPAC script %s\n", *place ? place : text_of(pac, "asked"));
    line(out, "state", text_of(pac, "state"));
    line(out, "named by", found);
    line(out, "last failure", text_of(pac, "failure"));
    line(out, "getting it", text_of(pac, "error"));
    if (*text_of(pac, "failure") || *text_of(pac, "error"))
        buf_addf(out, "  %-12s  pac-failure = %s\n", "then", text_of(pac, "pac_failure"));
    if (json_is_true(json_object_get(pac, "direct")))
        line(out, "mode", "direct: no proxy that it names can be reached; taken back when one answers");
    if (age >= 0) {
        buf_addf(out, "  %-12s  ", "confirmed");
        duration(out, (uint64_t)age);
        buf_addf(out, " ago%s\n",
                 json_is_true(json_object_get(pac, "from_disk")) ? ", in an earlier run" : "");
    }
    buf_addf(out, "  %-12s  %" PRIu64 " asked, %" PRIu64 " remembered, ", "answers",
             number_of(pac, "questions"), number_of(pac, "remembered"));
    buf_addf(out, "%" PRIu64 " process%s, %" PRIu64 " killed\n", number_of(pac, "processes"),
             number_of(pac, "processes") == 1 ? "" : "es", number_of(pac, "kills"));
}

static void forward_paragraph(struct buf *out, json_t *forward)
{
    const char *failure = text_of(forward, "last_failure");
    buf_addf(out, "\nForward %s\n  %-12s ", text_of(forward, "name"), "listens on");
    names(out, json_object_get(forward, "listening"));
    buf_add_str(out, "\n");
    line(out, "leads to", text_of(forward, "target"));
    buf_addf(out, "  %-12s  ", "tunnels");
    buf_addf(out, "%" PRIu64 " opened, %" PRIu64 " failed\n", number_of(forward, "opened"),
             number_of(forward, "failed"));
    if (!*failure)
        return;
    buf_addf(out, "  %-12s  %s (", "last failure", failure);
    duration(out, number_of(forward, "last_failure_ago"));
    buf_add_str(out, " ago)\n");
}

static void guests_paragraph(struct buf *out, json_t *answer)
{
    json_t *list = json_object_get(answer, "guests"), *one;
    size_t i;
    if (json_array_size(list) == 0)
        return;
    buf_add_str(out, "\nClients from beyond this machine\n");
    json_array_foreach(list, i, one)
    {
        buf_addf(out, "  %-12s  ", text_of(one, "name"));
        count(out, number_of(one, "connected"), "connection");
        buf_add_str(out, ", ");
        count(out, number_of(one, "requests"), "request");
        buf_add_str(out, " so far\n");
    }
    uint64_t refused = number_of(answer, "guests_refused");
    if (refused)
        buf_addf(out, "  %-12s  %" PRIu64 " with a wrong token, or from an address that is not allowed\n",
                 "refused", refused);
}

static void gateway_paragraph(struct buf *out, json_t *gateway)
{
    static const char *const outcomes[] = {"accepted", "challenged", "refused",
                                           "broken",   "failed",     "limited"};
    json_t *at;
    size_t i;
    buf_addf(out, "\nGateway %s\n", text_of(gateway, "name"));
    json_array_foreach(json_object_get(gateway, "listening"), i, at)
        buf_addf(out, "  %-12s  %s\n", i ? "" : "listening on", json_string_value(at));
    if (json_is_true(json_object_get(gateway, "per_user")))
        line(out, "identity", "per-user: each client goes on as the user that it is");
    buf_addf(out, "  %-12s  ", "clients");
    count(out, number_of(gateway, "connected"), "connection");
    buf_addf(out, "\n  %-12s  ", "requests");
    for (i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
        buf_addf(out, "%s%" PRIu64 " %s", i ? ", " : "", number_of(gateway, outcomes[i]), outcomes[i]);
    buf_add_str(out, "\n");
}

static void counters_paragraph(struct buf *out, json_t *answer)
{
    static const struct {
        const char *key, *label;
        bool bytes;
    } rows[] = {
        {"requests", "requests", false},
        {"tunnels", "tunnels opened", false},
        {"connections", "connections to proxies", false},
        {"challenges", "times a proxy asked who we are (407)", false},
        {"handshakes", "handshakes", false},
        {"refusals", "refusals", false},
        {"bytes_up", "sent", true},
        {"bytes_down", "received", true},
    };
    json_t *counters = json_object_get(answer, "counters");
    buf_add_str(out, "\nSince it was started\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf_addf(out, "  %-36s  ", rows[i].label);
        if (rows[i].bytes)
            bytes(out, number_of(counters, rows[i].key));
        else
            buf_addf(out, "%" PRIu64, number_of(counters, rows[i].key));
        buf_add_str(out, "\n");
    }
}

void status_text(struct buf *out, json_t *answer)
{
    json_t *one;
    size_t i;
    introduce(out, answer);
    json_array_foreach(json_object_get(answer, "upstreams"), i, one) upstream_paragraph(out, one);
    if (json_object_get(answer, "pac"))
        pac_paragraph(out, json_object_get(answer, "pac"));
    json_array_foreach(json_object_get(answer, "forwards"), i, one) forward_paragraph(out, one);
    guests_paragraph(out, answer);
    json_array_foreach(json_object_get(answer, "gateways"), i, one) gateway_paragraph(out, one);
    buf_add_str(out, "\nNow\n");
    buf_addf(out, "  %-36s  %" PRIu64 "\n", "programs connected", number_of(answer, "clients"));
    buf_addf(out, "  %-36s  %" PRIu64 "\n", "tunnels open", number_of(answer, "tunnels_open"));
    const char *confined = text_of(answer, "confined");
    if (*confined)
        buf_addf(out, "  %-36s  %s\n", "the agent", confined);
    counters_paragraph(out, answer);
}

static int run_metrics(void)
{
    struct err e = {0};
    json_t *answer = ask_agent("metrics", &e);
    if (!answer)
        return say_failure(&e);
    fputs(text_of(answer, "text"), stdout);
    json_decref(answer);
    return EXIT_DONE;
}

static int run(const struct verb_call *call)
{
    struct err e = {0};
    if (verb_given(call, "metrics"))
        return run_metrics();
    json_t *answer = ask_agent("status", &e);
    if (!answer)
        return say_failure(&e);
    if (verb_given(call, "json")) {
        json_dumpf(answer, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        struct buf text;
        buf_init(&text, 0);
        status_text(&text, answer);
        say_clean(stdout, buf_span(&text));
        buf_free(&text);
    }
    json_decref(answer);
    return EXIT_DONE;
}

static const struct verb_option options[] = {
    {"json", 'j', NULL, "one JSON object, for programs"},
    {"metrics", 'm', NULL, "figures for a monitoring system, as OpenMetrics text"},
    {0},
};

const struct verb status_verb = {
    .name = "status",
    .arguments = "",
    .summary = "Show what the running agent is doing",
    .help = "Shows where the agent listens; for each upstream whether it lets us in, as whom and by which "
            "scheme, and what to do when it does not; "
            "and how much has gone through. A script can learn from the exit code alone whether an agent is "
            "running.",
    .options = options,
    .run = run,
};
