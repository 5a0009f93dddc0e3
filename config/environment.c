/*
 * Without a configuration file, the upstream comes from the environment: our own variable, else those that
 * other programs use. A person who has pointed these at the agent already, as one should, must not make it
 * its own upstream. One thread, at start and reload.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "config/ini.h"
#include "config/kinds.h"
#include "config/whole.h"

#define OWN_VARIABLE "EXEAT_UPSTREAM"

static const char *const proxy_variables[] = {OWN_VARIABLE, "https_proxy", "HTTPS_PROXY",
                                              "http_proxy", "HTTP_PROXY",  NULL};
static const char *const no_proxy_variables[] = {"no_proxy", "NO_PROXY", NULL};

static struct span variable(const char *name)
{
    return span_trim(span_str(getenv(name)));
}

static struct origin origin_of(struct config_whole *w, const char *name)
{
    struct buf place;
    buf_init(&place, 0);
    buf_addf(&place, "environment %s", name);
    struct origin origin = {whole_place(w, buf_cstr(&place)), 0};
    buf_free(&place);
    return origin;
}

static struct origin *origin_in(struct origins *origins, const char *section, const char *key)
{
    return &origins->keys[setting_find(section_find(span_str(section)), span_str(key)) - settings];
}

/* Whether the value names one of the listeners that the agent has by default: without a file it has no
 * others. */
static bool names_ourselves(struct span value)
{
    struct config_whole *defaults = whole_new();
    struct config_upstream *u = whole_add_upstream(defaults, SPAN("x"), (struct origin){0});
    const struct setting *listen = setting_find(section_find(SPAN("listen")), SPAN("http"));
    bool same =
        listen->kind->parse(listen, &defaults->c, span_str(listen->fallback), NULL) &&
        proxies_add(u, value, NULL) &&
        place_is_listener(u->proxies->host, u->proxies->port, defaults->c.listen, defaults->c.n_listen);
    config_unref(&defaults->c);
    return same;
}

static bool read_no_proxy(struct config_whole *w, struct err *e)
{
    const char *const *name = no_proxy_variables;
    while (*name && variable(*name).n == 0)
        name++;
    if (!*name)
        return true;
    struct origin origin = origin_of(w, *name);
    struct span rest = variable(*name);
    if (!ini_check(rest, e))
        return origin_blame(origin, e);
    while (rest.n) {
        struct span part = span_cut(&rest, ','), word;
        while ((word = span_word(&part)).n)
            if (!destinations_add(&w->c, word, e))
                return origin_blame(origin, e);
    }
    *origin_in(&w->single[section_find(SPAN("route")) - sections], "route", "no-proxy") = origin;
    return true;
}

bool whole_read_environment(struct config_whole *w, const char **skipped, struct err *e)
{
    *skipped = NULL;
    const char *const *name = proxy_variables;
    for (; *name; name++) {
        struct span value = variable(*name);
        if (value.n == 0)
            continue;
        if (strcmp(*name, OWN_VARIABLE) == 0 || !names_ourselves(value))
            break;
        *skipped = *name;
    }
    if (!*name)
        return true;
    struct origin origin = origin_of(w, *name);
    struct config_upstream *u = whole_add_upstream(w, SPAN("default"), origin);
    *origin_in(&w->each_upstream[0], "upstream", "proxy") = origin;
    if (!proxies_add(u, variable(*name), e))
        return origin_blame(origin, e);
    return read_no_proxy(w, e);
}
