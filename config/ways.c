/*
 * Upstreams that are reached through other upstreams (via), and proxies whose tunnels carry everything (connect-always): what cannot be so. Pure; one thread,
 * while the configuration is made.
 */
#include "base/nearest.h"
#include "config/whole.h"

static struct origin key_of(const struct config_whole *w, const struct config_upstream *u, const char *key)
{
    const struct setting *s = setting_find(section_find(SPAN("upstream")), span_str(key));
    return w->each_upstream[u - w->c.upstreams].keys[s - settings];
}

static bool unknown_name(const struct config_whole *w, const struct config_upstream *u, struct err *e)
{
    struct nearest near;
    nearest_begin(&near, span_str(u->via));
    for (size_t i = 0; i < w->c.n_upstreams; i++)
        if (&w->c.upstreams[i] != u)
            nearest_offer(&near, w->c.upstreams[i].name);
    err_set(e, ERR_CONFIG, "via = %.80s: there is no [upstream %.80s]%s%s%s", u->via, u->via,
            near.name ? "; did you mean \"" : "", near.name ? near.name : "", near.name ? "\"?" : "");
    return origin_blame(key_of(w, u, "via"), e);
}

/* The way from this upstream's proxies back to us. */
static bool check_via(const struct config_whole *w, const struct config_upstream *u, struct err *e)
{
    const struct config_upstream *at = u;
    for (unsigned depth = 0; at->via; depth++) {
        const struct config_upstream *next = config_upstream_named(&w->c, span_str(at->via));
        if (!next)
            return unknown_name(w, at, e);
        if (next == u) {
            err_set(e, ERR_CONFIG, "via = %.80s leads back to [upstream %.80s] itself", u->via, u->name);
            return origin_blame(key_of(w, u, "via"), e);
        }
        if (depth == CONFIG_VIA_MOST) {
            err_set(e, ERR_CONFIG,
                    "via = %.80s: the way leads through more than %d upstreams, or in a circle", u->via,
                    CONFIG_VIA_MOST);
            return origin_blame(key_of(w, u, "via"), e);
        }
        if (next->client_credentials != CLIENT_CREDENTIALS_DROP) {
            err_set(e, ERR_CONFIG,
                    "via = %.80s: we must authenticate to it ourselves, and its section leaves that to the "
                    "programs; write client-credentials = drop there",
                    at->via);
            return origin_blame(key_of(w, at, "via"), e);
        }
        at = next;
    }
    return true;
}

static bool check_connect_always(const struct config_whole *w, const struct config_upstream *u, struct err *e)
{
    if (!u->connect_always || u->client_credentials == CLIENT_CREDENTIALS_DROP)
        return true;
    err_set(e, ERR_CONFIG,
            "connect-always = yes: the tunnels are ours, so that we must authenticate ourselves; write "
            "client-credentials = drop");
    return origin_blame(key_of(w, u, "connect-always"), e);
}

bool whole_check_ways(const struct config_whole *w, struct err *e)
{
    for (size_t i = 0; i < w->c.n_upstreams; i++)
        if (!check_via(w, &w->c.upstreams[i], e) || !check_connect_always(w, &w->c.upstreams[i], e))
            return false;
    return true;
}
