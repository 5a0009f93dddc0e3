/*
 * A login without an agent: a loop, a keyholder of its own (without a socket) and, when that asks for it, one trial. All of it ends with the answer.
 */
#include "cli/login_alone.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/keyholder.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "route/route.h"
#include "upstream/trial.h"

struct alone {
    struct loop *loop;
    struct outbound out;
    struct route_table *routes;
    const struct keys_msg *question;
    int code;
};

static void generation_changed(void *owner, const struct keys_msg *event)
{
    (void)owner;
    (void)event; /* no connections are kept here */
}

static void trial_wanted(void *owner, const struct keys_msg *event)
{
    struct alone *a = owner;
    size_t n;
    struct hop **hops = route_table_proxies(a->routes, &n);
    trial_for_keyholder(&a->out, hops, n, event);
}

static void answered(void *owner, const struct keys_msg *answer)
{
    struct alone *a = owner;
    progress_on(NULL); /* its line makes room */
    a->code = keyholder_say(a->question, answer);
    loop_stop(a->loop);
}

int login_alone(const char *config_path, const struct keys_msg *login)
{
    static const struct keys_client_events events = {generation_changed, trial_wanted, NULL};
    struct err e;
    struct config *c = config_load(config_path, &e);
    if (!c)
        return say_failure(&e);
    struct alone a = {.question = login, .code = EXIT_FAILED};
    a.routes = route_table_new(c, &e);
    if (!a.routes) {
        config_unref(c);
        return say_failure(&e);
    }
    log_set_level(
        LOG_LEVEL_ERROR); /* the answer's own words are for the person; what leads up to them is not */
    a.loop = a.out.loop = loop_new();
    snprintf(a.out.pseudonym, sizeof a.out.pseudonym, "exeat-login");
    a.out.keys = keys_client_new(a.loop, config_path, KEYS_ONE_ERRAND, &events, &a);
    struct keys_call call;
    struct keys_msg question = *login;
    keys_call_start(a.out.keys, &call, &question, answered, &a);
    loop_run(a.loop);
    keys_client_free(a.out.keys);
    route_table_each(a.routes, pool_flush);
    route_table_unref(a.routes);
    config_unref(c);
    if (!loop_free(a.loop)) {
        fflush(NULL);
        _exit(a.code);
    }
    return a.code;
}
