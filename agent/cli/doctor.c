/*
 * exeat doctor: the whole way from here through the proxy, one step after the other, each with what was seen and, where it fails, one thing to do. The
 * steps are rows: a step runs when those that it needs have not failed, and is shown as skipped otherwise, so that one fault is one cross.
 */
#include "cli/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/progress.h"
#include "cli/doctor_show.h"
#include "cli/say.h"
#include "cli/verb.h"
#include "route/destination.h"
#include "wire/keys_msg.h"

#define BIT(step) (1u << (step))

static const struct row {
    const char *name; /* as the keyholder and --json call it */
    const char *waits_for;
    doctor_walk walk;
    unsigned needs; /* BITs of steps that must not have failed */
} rows[STEPS] = {
    [STEP_AGENT] = {"agent", "asking the agent", walk_agent, 0},
    [STEP_CONFIG] = {"config", "reading the configuration", walk_config, 0},
    [STEP_LISTENER] = {"listener", "trying the listeners", walk_listener, BIT(STEP_CONFIG)},
    [STEP_ENVIRONMENT] = {"environment", "looking at the environment", walk_environment, 0},
    [STEP_PAC] = {"pac", "asking for the route", walk_pac, BIT(STEP_CONFIG)},
    [STEP_ROUTE] = {"route", "", walk_route, BIT(STEP_CONFIG) | BIT(STEP_PAC)},
    [STEP_DNS] = {"dns", "looking up the proxy", walk_dns, BIT(STEP_ROUTE)},
    [STEP_TCP] = {"tcp", "connecting to the proxy", walk_tcp, BIT(STEP_DNS)},
    [STEP_TLS] = {"tls", "speaking TLS with the proxy", walk_tls, BIT(STEP_TCP)},
    [STEP_OFFER] = {"offer", "waiting for the proxy's answer", walk_offer, BIT(STEP_TLS)},
    [STEP_TIME] = {"proxy-clock", "comparing clocks", walk_time, BIT(STEP_OFFER)},
    [STEP_KEYHOLDER] = {"keyholder", "looking at secrets and asking Kerberos servers", walk_keyholder,
                        BIT(STEP_ROUTE)},
    [STEP_KEYRING] = {"keyring", "", walk_found, BIT(STEP_KEYHOLDER)},
    [STEP_PASSWORD] = {"password", "", walk_found, BIT(STEP_KEYHOLDER)},
    [STEP_PRINCIPAL] = {"principal", "", walk_found, BIT(STEP_KEYHOLDER)},
    [STEP_KDC] = {"kdc", "", walk_found, BIT(STEP_KEYHOLDER)},
    [STEP_CLOCK] = {"kdc-clock", "", walk_found, BIT(STEP_KEYHOLDER)},
    [STEP_TICKET] = {"ticket", "", walk_found, BIT(STEP_KEYHOLDER)},
    [STEP_SPN] = {"spn", "", walk_found, BIT(STEP_KEYHOLDER)},
    [STEP_NTLM] = {"ntlm", "asking for an NTLM challenge", walk_ntlm, BIT(STEP_KEYHOLDER) | BIT(STEP_OFFER)},
    [STEP_SCHEME] = {"scheme", "", walk_found, BIT(STEP_KEYHOLDER) | BIT(STEP_OFFER)},
    [STEP_REQUEST] = {"request", "sending a request", walk_request, BIT(STEP_SCHEME) | BIT(STEP_LISTENER)},
    [STEP_DURATION] = {"duration", "", walk_duration, BIT(STEP_REQUEST)},
};

/* --- findings --- */

static void say(struct finding *f, const char *format, va_list args)
{
    char *text;
    if (vasprintf(&text, format, args) < 0)
        return;
    buf_clear(&f->evidence);
    buf_add_str(&f->evidence, text);
    free(text);
}

void finding_say(struct finding *f, enum doctor_mark mark, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    f->mark = mark;
    say(f, format, args);
    va_end(args);
}

void finding_fail(struct finding *f, enum exit_code code, const char *remedy, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    f->mark = MARK_BAD;
    f->code = code;
    say(f, format, args);
    va_end(args);
    buf_clear(&f->remedy);
    buf_add_str(&f->remedy, remedy);
}

void finding_fail_err(struct finding *f, const struct err *e, const char *remedy)
{
    size_t end = strcspn(e->text, "\n");
    const char *own = e->text + end;
    finding_fail(f, exit_from_err(e->code), *own ? own + 1 : remedy, "%.*s", (int)end, e->text);
}

const char *doctor_step_name(const struct doctor *d, const struct finding *f)
{
    return rows[f - d->findings].name;
}

/* --- the walk --- */

static bool is_blocked(const struct doctor *d, unsigned needs, struct finding *f)
{
    for (unsigned s = 0; s < STEPS; s++) {
        if (!(needs & BIT(s)) || (d->findings[s].mark != MARK_BAD && !d->findings[s].blocked))
            continue;
        f->blocked = true;
        finding_say(f, MARK_SKIP, "not tried: \"%s\" comes first", rows[s].name);
        return true;
    }
    return false;
}

static void walk(struct doctor *d, const struct show *show)
{
    for (unsigned s = 0; s < STEPS; s++) {
        struct finding *f = &d->findings[s];
        uint64_t begun = line_now();
        progress_on(*rows[s].waits_for ? rows[s].waits_for : NULL);
        if (!is_blocked(d, rows[s].needs, f))
            rows[s].walk(d, f);
        progress_on(NULL);
        f->ms = (unsigned)(line_now() - begun);
        if (f->mark != MARK_BAD)
            f->code = EXIT_DONE;
        show_finding(show, rows[s].name, f);
    }
}

/* The first fault is mostly the cause of the others; that no agent runs is none of them. */
static enum exit_code judge(const struct doctor *d, unsigned *faults)
{
    enum exit_code code = EXIT_DONE;
    *faults = 0;
    for (unsigned s = 0; s < STEPS; s++) {
        if (d->findings[s].mark != MARK_BAD)
            continue;
        ++*faults;
        if (code == EXIT_DONE || code == EXIT_NO_AGENT)
            code = d->findings[s].code;
    }
    return code;
}

/* --- the verb --- */

static bool read_url(struct doctor *d, struct err *e)
{
    struct span text = span_str(d->url), rest;
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] <= ' ' || (unsigned char)text.p[i] >= 0x7f)
            return err_set(e, ERR_USAGE,
                           "an address has no blanks and only ASCII letters: write others as %%XX");
    if (!destination_read(text, &d->host, &d->port, e))
        return false;
    bool bare = !memmem(text.p, text.n, "://", 3);
    d->tunnel = span_istarts(text, SPAN("https:")) || (bare && d->port == 443);
    bool ipv6 = span_find(d->host, ':') < d->host.n;
    buf_addf(&d->authority, ipv6 ? "[%.*s]:%u" : "%.*s:%u", SPAN_ARG(d->host), d->port);
    if (d->tunnel)
        return true;
    rest =
        bare ? text : span_from(text, (size_t)((const char *)memmem(text.p, text.n, "://", 3) - text.p) + 3);
    size_t path = 0;
    while (path < rest.n && !strchr("/?#", rest.p[path]))
        path++;
    rest = span_from(rest, path);
    rest = span_head(rest, span_find(rest, '#'));
    buf_addf(&d->target, "http://%s%s%.*s", buf_cstr(&d->authority), rest.n && rest.p[0] == '/' ? "" : "/",
             SPAN_ARG(rest));
    return true;
}

static void release(struct doctor *d)
{
    line_close(&d->line);
    doctor_own_free(d);
    if (d->addresses)
        freeaddrinfo(d->addresses);
    route_table_unref(d->routes);
    config_unref(d->config);
    json_decref(d->status);
    json_decref(d->way);
    control_close(d->agent);
    buf_free(&d->authority);
    buf_free(&d->target);
    buf_free(&d->offer);
    buf_free(&d->date);
    buf_free(&d->keys.lines);
    buf_free(&d->keys.header);
    buf_free(&d->ntlm.lines);
    buf_free(&d->ntlm.header);
    for (unsigned s = 0; s < STEPS; s++) {
        buf_free(&d->findings[s].evidence);
        buf_free(&d->findings[s].remedy);
    }
}

static int run(const struct verb_call *call)
{
    struct err e = {0};
    struct doctor d = {.config_path = verb_value(call, "config"),
                       .spend = verb_given(call, "try"),
                       .chosen_url = call->n_words > 0,
                       .url = call->n_words ? call->words[0] : KEYS_ASIDE_TARGET,
                       .line = LINE_NOBODY};
    if (!read_url(&d, &e)) {
        release(&d);
        return say_error(EXIT_USAGE, "%s", e.text);
    }
    struct show show;
    unsigned faults;
    show_begin(&show, verb_given(call, "json"));
    progress_start();
    walk(&d, &show);
    progress_stop();
    enum exit_code code = judge(&d, &faults);
    show_end(&show, d.url, code, faults, d.findings[STEP_REQUEST].mark == MARK_OK);
    release(&d);
    return code;
}

static const struct verb_option options[] = {
    {"json", 'j', NULL, "one JSON object, for programs"},
    {"try", 't', NULL, "send the request with a password that is not proven"},
    {"config", 'c', "FILE", "by FILE, without the running agent"},
    {0},
};

const struct verb doctor_verb = {
    .name = "doctor",
    .arguments = "[URL]",
    .max_words = 1,
    .summary = "Find out what is wrong",
    .help =
        "Walks the whole way through the proxy, one step after the other, and says of each what was seen "
        "and, "
        "where it fails, what to do: the agent, the configuration, the proxy's name, its port, its "
        "certificate, "
        "how it wants us to sign in, the keyring, the Kerberos ticket, clocks, and one request.\n"
        "\n"
        "Without URL the request is for a name that cannot exist: it shows whether the proxy lets us in, and "
        "reaches nobody behind it. A password that was refused is never sent again; one that no proxy has "
        "taken "
        "yet is only sent with --try. Without a running agent all is looked at in the same way. The exit "
        "code "
        "is that of the first fault.",
    .options = options,
    .run = run,
};
