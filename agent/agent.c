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
#include "base/secret.h"
#include "cli/exit.h"
#include "upstream/detour.h"
#include "upstream/pool.h"
#include "upstream/trial.h"

/* --- the keyholder's events --- */

static void generation_changed(void *owner, const struct keys_msg *event)
{
    struct agent *a = owner;
    log_info(NULL, "upstream %.*s: new credentials; connections made with the old ones end",
             SPAN_ARG(event->upstream));
    route_table_of(a->routes, event->upstream, pool_flush);
    holds_generation(&a->relay, event->upstream, event->generation);
}

static void trial_wanted(void *owner, const struct keys_msg *event)
{
    struct agent *a = owner;
    size_t n;
    struct hop **hops = route_table_proxies(a->routes, &n);
    trial_for_keyholder(&a->out, hops, n, event);
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

bool agent_reload(struct agent *a, struct err *e)
{
    struct config *c = config_load(a->config_path, e);
    if (!c)
        return false;
    struct route_table *routes = route_table_new(c, e);
    if (!routes || !doors_set(&a->doors, c, e)) {
        route_table_unref(routes);
        config_unref(c);
        return false;
    }
    tell_keyholder(a);
    relay_reload(&a->relay, c, routes);
    route_table_each(a->routes, pool_retire);
    route_table_unref(a->routes);
    config_unref(a->config);
    a->routes = routes;
    a->config = c;
    log_set_level(c->log_level);
    log_info(NULL, "configuration read again%s%s", c->file ? ": " : "", c->file ? c->file : "");
    return true;
}

static void on_signal(void *owner, int number)
{
    struct agent *a = owner;
    struct err e;
    if (number != SIGHUP) {
        log_info(NULL, "stopping (%s)", number == SIGINT ? "interrupted" : "asked to end");
        loop_stop(a->loop);
    } else if (!agent_reload(a, &e)) {
        log_error(NULL, "the configuration was not read again: %s", e.text);
    }
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

static bool build(struct agent *a, struct err *e)
{
    static const struct keys_client_events keys_events = {generation_changed, trial_wanted};
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
    agent_confine(a); /* nothing more needs to be executed, and no client has come yet */
    a->doors.relay = &a->relay;
    a->doors.explain = agent_explain_listen;
    a->doors.explain_owner = a;
    return doors_set(&a->doors, a->config, e);
}

/* false: something could not be waited for. */
static bool take_down(struct agent *a)
{
    doors_close(&a->doors);
    agent_drop_queries(a);
    netwatch_stop(a->netwatch);
    keys_call_cancel(&a->reload_call);
    if (a->control)
        control_server_stop(a->control);
    if (a->out.keys) {
        relay_done(&a->relay);
        detour_stop(&a->out);
        route_table_each(a->routes, pool_flush);
        keys_client_free(a->out.keys);
    }
    route_table_unref(a->routes);
    config_unref(a->config);
    pac_ground_free(a->pac_ground);
    agent_unconfine(a);
    free(a->config_path);
    return !a->loop || loop_free(a->loop);
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
    struct agent a = {.config_path = mem_strdup(config_path)};
    struct err e = {0};
    list_init(&a.queries);
    secret_start();
    bool built = build(&a, &e);
    if (built) {
        loop_run(a.loop);
    } else {
        say_why(&e);
    }
    int code = built ? EXIT_DONE : (int)exit_from_err(e.code);
    if (!take_down(&a))
        _exit(code);
    return code;
}
