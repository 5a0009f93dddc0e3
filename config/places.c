/*
 * What the listeners' addresses must not be, across all sections. Pure; one thread, while the configuration is made.
 */
#include <stdlib.h>

#include "base/url.h"
#include "config/kinds.h"
#include "config/whole.h"

/* One setting that holds listeners' addresses. */
struct door {
    const struct config_address *list;
    size_t n;
    struct origin at;
};

static const struct origin *key_of(const struct origins *origins, const char *section, const char *key)
{
    return &origins->keys[setting_find(section_find(span_str(section)), span_str(key)) - settings];
}

static size_t n_doors(const struct config_whole *w)
{
    return 3 + w->c.n_gateways + w->c.n_forwards;
}

/* By number: http, socks, metrics, then the gateways, then the fixed tunnels. */
static struct door door(const struct config_whole *w, size_t i)
{
    const struct origins *listen = &w->single[section_find(SPAN("listen")) - sections];
    if (i == 0)
        return (struct door){w->c.listen, w->c.n_listen, *key_of(listen, "listen", "http")};
    if (i == 1)
        return (struct door){w->c.socks, w->c.n_socks, *key_of(listen, "listen", "socks")};
    if (i == 2)
        return (struct door){w->c.metrics, w->c.n_metrics, *key_of(listen, "listen", "metrics")};
    i -= 3;
    if (i < w->c.n_gateways)
        return (struct door){w->c.gateways[i].listen, w->c.gateways[i].n_listen,
                             *key_of(&w->each_gateway[i], "gateway", "listen")};
    i -= w->c.n_gateways;
    const struct config_forward *f = &w->c.forwards[i];
    return (struct door){f->listen, f->n_listen, *key_of(&w->each_forward[i], "forward", "listen")};
}

/* Where a connection to that place would come to ourselves. */
static bool is_ours(const struct config_whole *w, const char *host, uint16_t port, size_t first_door)
{
    for (size_t i = first_door; i < n_doors(w); i++) {
        struct door d = door(w, i);
        if (place_is_listener(host, port, d.list, d.n))
            return true;
    }
    return false;
}

/* A proxy that is one of our own listeners would send each request round and round. */
static bool check_proxies(const struct config_whole *w, struct err *e)
{
    for (size_t i = 0; i < w->c.n_upstreams; i++) {
        const struct config_upstream *u = &w->c.upstreams[i];
        for (size_t k = 0; k < u->n_proxies; k++) {
            if (!is_ours(w, u->proxies[k].host, u->proxies[k].port, 0))
                continue;
            err_set(e, ERR_CONFIG, "proxy %s is where this agent itself listens", u->proxies[k].text);
            return origin_blame(*key_of(&w->each_upstream[i], "upstream", "proxy"), e);
        }
    }
    return true;
}

/* Our own PAC script says only that everything goes to us. */
static bool check_pac(const struct config_whole *w, struct err *e)
{
    struct url u;
    if (w->c.pac != PAC_FROM_URL || url_read(&u, span_str(w->c.pac_place)) != NULL)
        return true;
    char *host = span_dup(u.host);
    bool ours = is_ours(w, host, u.port, 0);
    free(host);
    if (!ours)
        return true;
    err_set(e, ERR_CONFIG, "pac %s is where this agent itself listens", w->c.pac_place);
    return origin_blame(*key_of(&w->single[section_find(SPAN("route")) - sections], "route", "pac"), e);
}

/* So would a fixed tunnel that leads to a fixed tunnel, where its target is reached without a proxy. */
static bool check_targets(const struct config_whole *w, struct err *e)
{
    for (size_t i = 0; i < w->c.n_forwards; i++) {
        const struct config_address *target = &w->c.forwards[i].target;
        if (!is_ours(w, target->host, target->port, 3 + w->c.n_gateways))
            continue;
        err_set(e, ERR_CONFIG, "target %s is where a [forward] of this agent itself listens", target->text);
        return origin_blame(*key_of(&w->each_forward[i], "forward", "target"), e);
    }
    return true;
}

/* All addresses of a family take one port on each of them; those of IPv6 none of IPv4 (net/listen). */
static bool takes(const char *all, const char *host)
{
    bool six = strchr(host, ':') != NULL;
    return strcmp(all, six ? "::" : "0.0.0.0") == 0;
}

static bool same_host(const char *a, const char *b)
{
    return span_ieq(span_str(a), span_str(b)) || takes(a, b) || takes(b, a);
}

/* Over what leads nowhere else: "//" and "/./". */
static const char *next_step(const char *path)
{
    while (path[0] == '/' && (path[1] == '/' || (path[1] == '.' && path[2] == '/')))
        path += path[1] == '/' ? 1 : 2;
    return path;
}

static bool same_path(const char *a, const char *b)
{
    for (a = next_step(a), b = next_step(b); *a && *a == *b; a = next_step(a + 1), b = next_step(b + 1))
        ;
    return *a == *b;
}

static bool same_place(const struct config_address *a, const struct config_address *b)
{
    if (a->path || b->path)
        return a->path && b->path && same_path(a->path, b->path);
    return a->port != 0 && a->port == b->port && same_host(a->host, b->host);
}

/* The blame goes to the door that was written down, and to the later one of two. */
static bool twice(struct door earlier, struct door later, const struct config_address *a,
                  const struct config_address *b, struct err *e)
{
    struct origin at = later.at.place ? later.at : earlier.at;
    struct origin other = later.at.place ? earlier.at : later.at;
    bool equal = strcmp(a->text, b->text) == 0;
    const char *of = equal ? "" : " is also ", *second = equal ? "" : b->text;
    if (other.place)
        err_set(e, ERR_CONFIG, "%s%s%s%s has another use already, in %s:%u", a->text, of, second,
                equal ? "" : ", which", other.place, other.line);
    else
        err_set(
            e, ERR_CONFIG,
            "%s%s%s%s is where programs of this machine reach exeat by default; choose another port here, "
            "or other addresses there (http = 127.0.0.1:PORT in [listen])",
            a->text, of, second, equal ? "" : ", which");
    return origin_blame(at, e);
}

/* Within one setting; texts that are equal were found when it was read. */
static bool check_one(struct door d, struct err *e)
{
    for (size_t i = 1; i < d.n; i++)
        for (size_t k = 0; k < i; k++) {
            const struct config_address *a = &d.list[k], *b = &d.list[i];
            if (!same_place(a, b))
                continue;
            bool wide = b->host && takes(b->host, a->host);
            err_set(e, ERR_CONFIG,
                    "%s is also %s, which stands here too; leave that out, or choose another %s for it",
                    wide ? b->text : a->text, wide ? a->text : b->text, a->path ? "path" : "port");
            return origin_blame(d.at, e);
        }
    return true;
}

static bool check_uses(const struct config_whole *w, struct err *e)
{
    for (size_t i = 0; i < n_doors(w); i++) {
        struct door later = door(w, i);
        if (!check_one(later, e))
            return false;
        for (size_t k = 0; k < i; k++) {
            struct door earlier = door(w, k);
            for (size_t m = 0; m < later.n; m++)
                for (size_t l = 0; l < earlier.n; l++)
                    if (same_place(&later.list[m], &earlier.list[l]))
                        return twice(earlier, later, &later.list[m], &earlier.list[l], e);
        }
    }
    return true;
}

bool whole_check_places(const struct config_whole *w, struct err *e)
{
    return check_proxies(w, e) && check_pac(w, e) && check_targets(w, e) && check_uses(w, e);
}
