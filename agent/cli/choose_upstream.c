/*
 * The upstream that a password belongs to: from the running agent, else from the configuration. The
 * environment of a shell often points at the agent itself (https_proxy=http://127.0.0.1:3128), so what it
 * says is of no use while an agent runs. One thread.
 */
#include "cli/choose_upstream.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/nearest.h"
#include "cli/ask_agent.h"
#include "config/config.h"

/* Collects what is needed to choose, from either source. */
struct choice {
    const char *wanted; /* NULL: the first */
    bool found;
    struct nearest near;
    struct chosen_upstream *out;
};

static void choice_begin(struct choice *c, const char *wanted, struct chosen_upstream *out)
{
    *c = (struct choice){.wanted = wanted, .out = out};
    nearest_begin(&c->near, span_str(wanted));
}

static void choice_offer(struct choice *c, const char *name, const char *proxy, const char *user)
{
    if (c->found || !name)
        return;
    nearest_offer(&c->near, name);
    if (c->wanted && strcmp(c->wanted, name) != 0)
        return;
    c->found = true;
    *c->out = (struct chosen_upstream){
        .name = mem_strdup(name),
        .proxy = mem_strdup(proxy ? proxy : ""),
        .user = mem_strdup(user ? user : ""),
    };
}

static bool choice_end(const struct choice *c, const char *whose, struct err *e)
{
    if (c->found)
        return true;
    if (!c->wanted)
        return err_set(e, ERR_CONFIG, "%s has no upstream", whose);
    if (c->near.name)
        return err_set(e, ERR_USAGE, "%s has no upstream \"%s\": did you mean \"%s\"?", whose, c->wanted,
                       c->near.name);
    return err_set(
        e, ERR_USAGE,
        "%s has no upstream \"%s\": \"exeat status\" and \"exeat run --print-config\" show their names",
        whose, c->wanted);
}

static bool choose_from_agent(const char *wanted, json_t *status, struct chosen_upstream *out, struct err *e)
{
    struct choice c;
    choice_begin(&c, wanted, out);
    json_t *upstream;
    size_t i;
    json_array_foreach(json_object_get(status, "upstreams"), i, upstream)
    {
        json_t *proxy = json_array_get(json_object_get(upstream, "proxies"), 0);
        choice_offer(&c, json_string_value(json_object_get(upstream, "name")),
                     json_string_value(json_object_get(proxy, "proxy")),
                     json_string_value(json_object_get(upstream, "identity")));
    }
    return choice_end(&c, "the running agent", e);
}

static bool choose_from_config(const char *wanted, const char *path, struct chosen_upstream *out,
                               struct err *e)
{
    struct config *config = config_load(path, e);
    if (!config)
        return false;
    struct choice c;
    choice_begin(&c, wanted, out);
    for (size_t i = 0; i < config->n_upstreams; i++) {
        const struct config_upstream *u = &config->upstreams[i];
        choice_offer(&c, u->name, u->n_proxies ? u->proxies[0].text : NULL, u->user);
    }
    bool good = choice_end(&c, config->file ? config->file : "the environment", e);
    config_unref(config);
    return good;
}

bool choose_upstream(const char *name, const char *config_path, struct chosen_upstream *out, struct err *e)
{
    json_t *status = config_path ? NULL : ask_agent("status", NULL);
    if (!status)
        return choose_from_config(name, config_path, out, e);
    bool good = choose_from_agent(name, status, out, e);
    json_decref(status);
    return good;
}

void chosen_upstream_free(struct chosen_upstream *u)
{
    free(u->name);
    free(u->proxy);
    free(u->user);
    *u = (struct chosen_upstream){0};
}
