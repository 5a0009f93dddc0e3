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
    [STEP_PROXY] = {"proxy", "", walk_proxy, BIT(STEP_ROUTE)},
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
    [STEP_REQUEST] = {"request", "sending a request", walk_request,
                      BIT(STEP_SCHEME) | BIT(STEP_LISTENER) | BIT(STEP_ROUTE)},
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

const char *doctor_step_name(enum doctor_step step)
{
    return rows[step].name;
}

/* --- the walk --- */

#define IS_OF_STOP(step) ((step) >= STEP_PROXY && (step) <= STEP_SCHEME)

struct walk {
    struct doctor *d;
    const struct show *show;
    unsigned faults;
    enum exit_code code;
};

static bool stands_in_the_way(const struct finding *f)
{
    return f->broken || f->blocked;
}

/* The step, and of whom where that is not plain. NULL: none of them has failed. */
static const struct finding *find_obstacle(const struct finding *all, unsigned steps)
{
    for (unsigned s = 0; s < STEPS; s++)
        if (steps & BIT(s) && stands_in_the_way(&all[s]))
            return &all[s];
    return NULL;
}

/* Whoever goes to a stop goes past those before it. */
static const struct finding *find_obstacle_at(const struct stop *at, unsigned steps,
                                              const struct stop **where)
{
    const struct finding *f = NULL;
    for (*where = at; *where && !f; *where = f ? *where : (*where)->before)
        f = find_obstacle((*where)->findings, steps);
    return f;
}

static bool is_blocked(const struct doctor *d, unsigned needs, struct finding *f)
{
    const struct stop *at = IS_OF_STOP(f->step) ? d->at : d->end, *where = NULL;
    const struct finding *first = find_obstacle(d->findings, needs);
    if (!first && IS_OF_STOP(f->step)) {
        first = find_obstacle(at->findings, needs);
        if (!first && f->step == STEP_DNS)
            first = find_obstacle_at(at->before,
                                     BIT(STEP_DNS) | BIT(STEP_TCP) | BIT(STEP_TLS) | BIT(STEP_OFFER), &where);
    } else if (!first && at) {
        first = find_obstacle_at(at, needs, &where);
    }
    if (!first)
        return false;
    f->blocked = true;
    finding_say(f, MARK_SKIP, "not tried: \"%s\"%s%s comes first", rows[first->step].name,
                where && d->n_stops > 1 ? " of " : "", where && d->n_stops > 1 ? where->hop->name : "");
    return true;
}

/* The first fault is mostly the cause of the others; that no agent runs is none of them. */
static void count_fault(struct walk *w, const struct finding *f)
{
    if (f->mark != MARK_BAD)
        return;
    w->faults++;
    if (w->code == EXIT_DONE || w->code == EXIT_NO_AGENT)
        w->code = f->code;
}

static void walk_step(struct walk *w, enum doctor_step step)
{
    struct doctor *d = w->d;
    struct stop *at = IS_OF_STOP(step) ? d->at : NULL;
    struct finding *f = at ? &at->findings[step] : &d->findings[step];
    uint64_t begun = line_now();
    f->step = step;
    progress_on(*rows[step].waits_for ? rows[step].waits_for : NULL);
    if (!is_blocked(d, rows[step].needs, f))
        rows[step].walk(d, f);
    progress_on(NULL);
    f->ms = (unsigned)(line_now() - begun);
    f->broken = f->mark == MARK_BAD;
    if (f->broken && at && at->spare)
        f->mark = MARK_NOTE;
    if (f->mark != MARK_BAD)
        f->code = EXIT_DONE;
    count_fault(w, f);
    show_finding(w->show, rows[step].name, f, at && d->n_stops > 1 ? at->hop->name : NULL);
}

static void walk_steps(struct walk *w, enum doctor_step from, enum doctor_step to)
{
    for (enum doctor_step s = from; s <= to; s++)
        walk_step(w, s);
}

static bool is_reachable(const struct stop *s)
{
    const struct stop *where;
    return !find_obstacle_at(s, BIT(STEP_DNS) | BIT(STEP_TCP) | BIT(STEP_TLS), &where);
}

static void walk_stop(struct walk *w, struct stop *s)
{
    if (s->walked)
        return;
    if (s->before)
        walk_stop(w, s->before);
    s->walked = true;
    w->d->at = s;
    s->spare = w->d->end != NULL;
    if (w->d->n_stops > 1)
        walk_step(w, STEP_PROXY);
    walk_steps(w, STEP_DNS, STEP_TIME);
    line_close(&s->line);
    if (!s->spare && is_reachable(s))
        walk_steps(w, STEP_KEYHOLDER, STEP_SCHEME);
}

/* What stands in the way of the first one, and all that can be known without it. */
static void walk_unreachable(struct walk *w)
{
    struct stop *line[STOPS_MOST];
    size_t n = 0;
    w->d->end = w->d->ends[0];
    for (struct stop *s = w->d->end; s; s = s->before)
        if (!is_reachable(s))
            line[n++] = s;
    while (n) {
        w->d->at = line[--n];
        if (w->d->n_stops > 1)
            walk_step(w, STEP_PROXY);
        walk_steps(w, STEP_KEYHOLDER, STEP_SCHEME);
    }
}

/* Those that come before the first that works have failed; those after it stand in for it. */
static void walk_ways(struct walk *w)
{
    struct doctor *d = w->d;
    for (size_t i = 0; i < d->n_ends; i++) {
        walk_stop(w, d->ends[i]);
        if (!d->end && is_reachable(d->ends[i]))
            d->end = d->ends[i];
    }
    if (!d->end && d->n_ends)
        walk_unreachable(w);
    if (d->n_ends)
        return;
    d->at = mem_alloc(sizeof *d->at); /* where no way has been found each step says that it needs one */
    *d->at = STOP_NEW;
    walk_steps(w, STEP_DNS, STEP_SCHEME);
    stop_free(d->at);
    d->at = NULL;
}

static void walk(struct walk *w)
{
    walk_steps(w, 0, STEP_ROUTE);
    walk_ways(w);
    walk_steps(w, STEP_REQUEST, STEP_DURATION);
}

/* --- the verb --- */

/* Others are no business of a proxy for HTTP; and "http:/host" has lost a slash. */
static bool check_scheme(struct span text, struct err *e)
{
    static const char *const known[] = {"http", "https", "ws", "wss"};
    size_t colon = span_find(text, ':');
    struct span scheme = span_head(text, colon), rest = span_from(text, colon);
    bool named = span_starts(rest, SPAN("://")), good = !span_starts(rest, SPAN(":/"));
    for (size_t i = 0; named && i < sizeof known / sizeof *known; i++)
        good = good || span_ieq(scheme, span_str(known[i]));
    return good ||
           err_set(e, ERR_USAGE, "\"%.*s\" is no address of the web: write https://HOST/, HOST:PORT or HOST",
                   SPAN_ARG(span_head(text, 80)));
}

static bool read_url(struct doctor *d, struct err *e)
{
    struct span text = span_str(d->url), rest;
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] <= ' ' || (unsigned char)text.p[i] >= 0x7f)
            return err_set(e, ERR_USAGE,
                           "an address has no blanks and only ASCII letters: write others as %%XX");
    if (!check_scheme(text, e) || !destination_read(text, &d->host, &d->port, e))
        return false;
    bool bare = !memmem(text.p, text.n, "://", 3);
    d->tunnel = span_eq(destination_scheme(text, d->port), SPAN("https"));
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
    for (size_t i = 0; i < d->n_stops; i++)
        stop_free(d->stops[i]);
    doctor_own_free(d);
    route_table_unref(d->routes);
    config_unref(d->config);
    json_decref(d->status);
    json_decref(d->way);
    control_close(d->agent);
    buf_free(&d->authority);
    buf_free(&d->target);
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
                       .url = call->n_words ? call->words[0] : KEYS_ASIDE_TARGET};
    if (!read_url(&d, &e)) {
        release(&d);
        return say_error(EXIT_USAGE, "%s", e.text);
    }
    struct show show;
    struct walk w = {.d = &d, .show = &show};
    show_begin(&show, verb_given(call, "json"));
    progress_start();
    walk(&w);
    progress_stop();
    show_end(&show, d.url, w.code, w.faults, d.findings[STEP_REQUEST].mark == MARK_OK);
    release(&d);
    return w.code;
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
        "and, where it fails, what to do: the agent, the configuration, the proxy's name, its port, its "
        "certificate, how it wants us to sign in, the keyring, the Kerberos ticket, clocks, and one request. "
        "Where "
        "there are several proxies, behind each other or in each other's place, all of them are looked at; a "
        "fault "
        "of one that is not needed is a note.\n"
        "\n"
        "Without URL the request is for a name that cannot exist: it shows whether the proxy lets us in, and "
        "reaches nobody behind it. A password that was refused is never sent again; one that no proxy has "
        "taken yet is only sent with --try. Without a running agent all is looked at in the same way, but "
        "PAC "
        "scripts, which only an agent asks.\n"
        "\n"
        "The exit code is that of the first fault (exeat help exit-codes), but that no agent runs counts "
        "only where "
        "nothing else is wrong; 0 when there is none, whatever notes there are.\n"
        "\n"
        "--json prints one object in ASCII: ok (whether nothing has failed), url, exit_code, and steps, an "
        "array in "
        "the order of the walk. Each step is an object with step (its name, as in the lines), result (ok, "
        "failed, "
        "note or skipped), evidence and remedy (text; lines end with \\n, and what could drive a terminal is "
        "'?'), ms "
        "(how long it took) and, where several proxies are looked at, proxy (whom it is about; the same step "
        "then "
        "comes once for each).",
    .options = options,
    .run = run,
};
