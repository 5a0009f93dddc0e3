/*
 * Builds the house, reloads it, takes it down. The order matters: what is built first is taken down last.
 */
#include "agent.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/log.h"
#include "base/namer.h"
#include "base/secret.h"
#include "cli/exit.h"
#include "helpers/pac_helper.h"
#include "net/notify.h"
#include "upstream/detour.h"
#include "upstream/pool.h"
#include "upstream/trial.h"

#define CHANGES_LOGGED 50

/* --- the keyholder's events --- */

static void generation_changed(void *owner, const struct keys_msg *event)
{
    struct agent *a = owner;
    bool guest = event->flags & KEYS_GUEST;
    struct span user = guest ? event->identity : SPAN("");
    log_info(NULL, "upstream %.*s: new credentials%s%.*s; connections made with the old ones end",
             SPAN_ARG(event->upstream), guest ? " of " : "", SPAN_ARG(user));
    if (guest)
        route_table_of_user(a->routes, event->upstream, user, pool_flush);
    else
        route_table_of(a->routes, event->upstream, pool_flush);
    holds_generation(&a->relay, event->upstream, user, event->generation);
    agent_state_changed(a);
}

static void trial_wanted(void *owner, const struct keys_msg *event)
{
    struct agent *a = owner;
    size_t n;
    struct hop **hops = route_table_proxies(a->routes, &n);
    trial_for_keyholder(&a->out, hops, n, event);
}

static void keyholder_ended(void *owner)
{
    struct agent *a = owner;
    holds_keyholder_ended(&a->relay);
}

/* --- the network --- */

static void begin_anew(struct hop *h)
{
    hop_wake(h);
    pool_drop_idle(h);
}

static void network_changed(void *owner, bool slept)
{
    struct agent *a = owner;
    log_info(NULL, "%s: idle connections are closed, and what could not be reached is tried again",
             slept ? "this computer slept" : "the network has changed");
    route_table_each(a->routes, begin_anew);
    pac_network_changed(a->pac);
    agent_state_changed(a);
    keys_client_tell(a->out.keys, keys_client_instance(a->out.keys),
                     &(struct keys_msg){.type = KEYS_NETWORK});
}

/* --- reload --- */

static void reload_answered(void *owner, const struct keys_msg *answer)
{
    (void)owner;
    if (answer->verdict != KEYS_OK)
        log_error(NULL, "the keyholder could not read the configuration again: %.*s", SPAN_ARG(answer->why));
}

static void tell_keyholder(struct agent *a)
{
    struct keys_msg m = {.type = KEYS_RELOAD};
    keys_call_cancel(&a->reload_call);
    keys_call_start(a->out.keys, &a->reload_call, &m, reload_answered, a);
}

/* A line of the log each; a list without end would help nobody there. */
static void log_changes(struct span changes, size_t n)
{
    for (size_t i = 0; changes.n; i++) {
        struct span line = span_cut(&changes, '\n');
        if (i < CHANGES_LOGGED)
            log_info(NULL, "configuration: %.*s", SPAN_ARG(line));
    }
    if (n > CHANGES_LOGGED)
        log_info(NULL, "configuration: and %zu more changes", n - CHANGES_LOGGED);
}

/* What can fail, in an order in which nothing of it has to be taken back. */
static bool prepare(struct agent *a, struct config *c, struct route_table **routes, int *log_fd,
                    struct err *e)
{
    *routes = route_table_new(c, e);
    *log_fd = -1;
    if (*routes && access_log_open(c, log_fd, e) && doors_set(&a->doors, c, e))
        return true;
    if (*routes && c->log_file && *log_fd < 0)
        agent_explain_log(a, c->log_file, e);
    if (*log_fd >= 0)
        close(*log_fd);
    route_table_unref(*routes);
    return false;
}

static void take_over(struct agent *a, struct config *c, struct route_table *routes, int log_fd)
{
    tell_keyholder(a);
    relay_reload(&a->relay, c, routes);
    access_log_set(&a->relay.log, c, log_fd);
    pac_adopt(a->pac, c);
    route_table_retire(a->routes);
    route_table_each(a->routes, pool_retire);
    route_table_unref(a->routes);
    config_unref(a->config);
    a->routes = routes;
    a->config = c;
    log_set_level(c->log_level);
    agent_state_changed(a);
}

static bool reload(struct agent *a, struct buf *changes, struct err *e)
{
    struct route_table *routes;
    int log_fd;
    struct config *c = config_load(a->config_path, e);
    if (!c)
        return false;
    if (!prepare(a, c, &routes, &log_fd, e)) {
        config_unref(c);
        return false;
    }
    size_t n = config_diff(a->config, c, changes);
    take_over(a, c, routes, log_fd);
    log_info(NULL, "configuration read again%s%s%s", c->file ? ": " : "", c->file ? c->file : "",
             n ? "" : "; no setting differs");
    log_changes(buf_span(changes), n);
    return true;
}

bool agent_reload(struct agent *a, struct buf *changes, struct err *e)
{
    if (a->drain.going)
        return err_set(e, ERR_CONFIG, "the agent is stopping");
    notify_reloading(a->notify);
    bool done = reload(a, changes, e);
    notify_tell(a->notify, "READY=1");
    return done;
}

/* For whoever has moved the file away (logrotate): also when the configuration is wrong just then. */
static void open_log_again(struct agent *a)
{
    struct err e;
    int fd;
    if (!access_log_open(a->config, &fd, &e)) {
        agent_explain_log(a, a->config->log_file, &e);
        log_error(NULL, "%s; its lines go on into the file that was open", e.text);
    } else if (fd >= 0)
        access_log_set(&a->relay.log, a->config, fd);
}

static void hang_up(struct agent *a)
{
    struct err e;
    struct buf changes = {0};
    if (!agent_reload(a, &changes, &e)) {
        log_error(NULL, "the configuration was not read again: %s", e.text);
        open_log_again(a);
    }
    buf_free(&changes);
}

static void on_signal(void *owner, int number)
{
    if (number == SIGHUP)
        hang_up(owner);
    else
        agent_stop(owner, number == SIGINT ? "interrupted" : "asked to end");
}

/* --- up and down --- */

static void choose_pseudonym(struct outbound *out)
{
    unsigned char noise[6] = {0};
    if (getrandom(noise, sizeof noise, 0) < 0)
        log_warning(NULL, "no random bytes for the name in Via");
    snprintf(out->pseudonym, sizeof out->pseudonym, "exeat-%02x%02x%02x%02x%02x%02x", noise[0], noise[1],
             noise[2], noise[3], noise[4], noise[5]);
}

static bool start_control(struct agent *a, struct err *e)
{
    struct buf path = {0};
    char *directory = config_runtime_dir(e);
    if (!directory)
        return false;
    buf_addf(&path, "%s/control", directory);
    a->control = control_server_start(a->loop, buf_cstr(&path), agent_verbs, a, e);
    buf_free(&path);
    free(directory);
    return a->control != NULL;
}

/* Nothing more needs to be executed, and no client has come yet: what needs less freedom than we have had so far comes behind that. */
static bool confine_and_log(struct agent *a, struct err *e)
{
    struct err why;
    int log_fd, namer_fd = -1;
    if (!access_log_open(a->config, &log_fd, e))
        return false;
    if (a->config->log_requests && (namer_fd = namer_start(&why)) < 0)
        log_warning(NULL, "%s", why.text); /* the log of requests can do without */
    agent_confine(a);
    access_log_set(&a->relay.log, a->config, log_fd); /* our first thread */
    callers_start(&a->relay.callers, a->loop, namer_fd);
    return true;
}

/* Even where no script is configured now: a reload may bring one, and by then nothing can be executed any more. */
static struct starter *start_pac_starter(struct agent *a)
{
    struct err e;
    struct starter *starter = pac_helper_starter(a->loop, &e);
    if (!starter && (a->config->pac != PAC_FROM_NOWHERE || a->config->wpad != WPAD_NO))
        log_error(NULL, "%s", e.text);
    return starter;
}

static bool build(struct agent *a, struct err *e)
{
    static const struct keys_client_events keys_events = {generation_changed, trial_wanted, keyholder_ended};
    if (!given_take(&a->doors.given, e))
        return false;
    a->config = config_load(a->config_path, e);
    if (!a->config)
        return false;
    log_set_level(a->config->log_level);
    a->routes = route_table_new(a->config, e);
    if (!a->routes)
        return false;
    a->loop = loop_new();
    a->started = loop_now(a->loop);
    a->out.loop = a->loop;
    choose_pseudonym(&a->out);
    agent_state_start(a);
    if (!start_control(a, e)) /* first of all that is shared: it tells whether another agent runs */
        return false;
    a->out.keys = keys_client_new(a->loop, a->config_path, KEYS_LASTING, &keys_events, a);
    relay_init(&a->relay, &a->out, a->config, a->routes);
    if (!keys_client_is_installed(a->out.keys,
                                  e)) /* later it may be replaced; without it now each request would fail */
        return false;
    a->netwatch = netwatch_start(a->loop, network_changed, a);
    loop_watch_signal(a->loop, SIGTERM, on_signal, a);
    loop_watch_signal(a->loop, SIGINT, on_signal, a);
    loop_watch_signal(a->loop, SIGHUP, on_signal, a);
    a->pac_ground = pac_ground_new(a->loop, a->config);
    struct starter *pac_starter = start_pac_starter(a);
    if (!confine_and_log(a, e)) {
        starter_free(pac_starter);
        return false;
    }
    a->pac = a->relay.pac = pac_new(a->loop, a->pac_ground, pac_starter, a->config);
    a->doors.relay = &a->relay;
    a->doors.explain = agent_explain_listen;
    a->doors.explain_owner = a;
    return doors_set(&a->doors, a->config, e);
}

/* false: something could not be waited for. */
static bool take_down(struct agent *a)
{
    bool written = true;
    doors_close(&a->doors);
    agent_drain_done(a);
    agent_drop_queries(a);
    agent_drop_explanations(a);
    agent_watch_end(a);
    agent_state_stop(a);
    netwatch_stop(a->netwatch);
    keys_call_cancel(&a->reload_call);
    if (a->control)
        control_server_stop(a->control);
    if (a->out.keys) {
        relay_done(&a->relay);
        callers_stop(&a->relay.callers);
        written = access_log_stop(&a->relay.log);
        detour_stop(&a->out);
        route_table_each(a->routes, pool_flush);
        keys_client_free(a->out.keys);
    }
    pac_free(a->pac);
    route_table_unref(a->routes);
    config_unref(a->config);
    pac_ground_free(a->pac_ground);
    agent_unconfine(a);
    free(a->config_path);
    if (a->notify >= 0)
        close(a->notify);
    return (!a->loop || loop_free(a->loop)) && written;
}

/* What to write into a first configuration takes several lines: these are for a person, not for the log. */
static void say_why(const struct err *e)
{
    if (strchr(e->text, '\n'))
        fprintf(stderr, "exeat: %s\n", e->text);
    else
        log_error(NULL, "%s", e->text);
}

int agent_run(const char *config_path)
{
    struct agent a = {.config_path = mem_strdup(config_path), .notify = notify_open()};
    struct err e = {0};
    list_init(&a.queries);
    list_init(&a.explanations);
    secret_start();
    bool built = build(&a, &e);
    if (built) {
        notify_tell(a.notify, "READY=1");
        loop_run(a.loop);
    } else {
        say_why(&e);
    }
    int code = built ? EXIT_DONE : (int)exit_from_err(e.code);
    if (!take_down(&a))
        _exit(code);
    return code;
}
