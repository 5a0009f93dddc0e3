/*
 * Which doors a configuration wants, and what each socket from systemd is for: by its name, or by its address. Pure; loop thread.
 */
#include "wanted.h"

#include <stdlib.h>

#include "http/target.h"
#include "net/tls.h"

static bool is_at(const struct config_address *a, const char *host, const char *address)
{
    struct buf text = {0};
    if (a->path)
        buf_addf(&text, "unix:%s", a->path);
    else
        target_add_authority(&text, span_str(host), a->port);
    bool same = strcmp(buf_cstr(&text), address) == 0;
    buf_free(&text);
    return same;
}

/* Does the configuration name that address? */
static bool lists(const struct config_address *list, size_t n, const char *address)
{
    for (size_t i = 0; i < n; i++) {
        const struct config_address *a = &list[i];
        bool local = a->host && span_ieq(span_str(a->host), SPAN("localhost"));
        if (is_at(a, local ? "127.0.0.1" : a->host, address) || (local && is_at(a, "::1", address)))
            return true;
    }
    return false;
}

/* By the unit's FileDescriptorName=. true: it has a name that says something, and *w what, if there is such a thing. */
static bool purpose_by_name(struct wanted *w, const struct given *g, const struct config *c)
{
    static const struct span prefix = {"forward.", 8}, gateway = {"gateway.", 8};
    struct span name = span_str(g->name);
    bool general = span_eq(name, SPAN("gateway"));
    if (span_eq(name, SPAN("http")))
        w->entrance = &entrance_http;
    else if (span_eq(name, SPAN("socks")))
        w->entrance = &entrance_socks;
    else if (span_eq(name, SPAN("metrics")))
        w->entrance = &entrance_metrics;
    else if (!general && !span_starts(name, gateway) && !span_starts(name, prefix))
        return false;
    if (general || span_starts(name, gateway)) {
        w->gateway = config_gateway_named(c, general ? name : span_from(name, gateway.n));
        w->entrance = w->gateway && w->gateway->n_auth ? &entrance_gateway : NULL;
        return true;
    }
    for (size_t i = 0; i < c->n_forwards && !w->entrance; i++)
        if (span_eq(span_from(name, prefix.n), span_str(c->forwards[i].name)))
            *w = (struct wanted){.entrance = &entrance_fixed, .forward = &c->forwards[i]};
    return true;
}

/* By the address, where that stands in the configuration. */
static void purpose_by_address(struct wanted *w, const struct given *g, const struct config *c)
{
    for (size_t i = 0; i < c->n_forwards; i++)
        if (lists(c->forwards[i].listen, c->forwards[i].n_listen, g->address))
            *w = (struct wanted){.entrance = &entrance_fixed, .forward = &c->forwards[i]};
    for (size_t i = 0; i < c->n_gateways; i++)
        if (lists(c->gateways[i].listen, c->gateways[i].n_listen, g->address))
            *w = (struct wanted){.entrance = &entrance_gateway, .gateway = &c->gateways[i]};
    if (lists(c->metrics, c->n_metrics, g->address))
        w->entrance = &entrance_metrics;
    if (lists(c->socks, c->n_socks, g->address))
        w->entrance = &entrance_socks;
    if (lists(c->listen, c->n_listen, g->address))
        w->entrance = &entrance_http;
}

static bool find_purpose(struct wanted *w, const struct given *g, const struct config *c, struct err *e)
{
    bool named = purpose_by_name(w, g, c);
    if (!named)
        purpose_by_address(w, g, c);
    if (w->entrance)
        return true;
    if (named)
        return err_set(e, ERR_CONFIG, "the socket on %s is named %s, and there is no such [%s]", g->address,
                       g->name,
                       strncmp(g->name, "gateway", 7) == 0 ? "gateway NAME] with auth" : "forward NAME]");
    return err_set(e, ERR_CONFIG,
                   "what the socket on %s is for cannot be told: write FileDescriptorName=http, socks, "
                   "metrics, forward.NAME, gateway or gateway.NAME into the .socket unit, or the address "
                   "into exeat.conf",
                   g->address);
}

static void want(struct wanted_list *w, struct wanted one)
{
    w->list = mem_grow(w->list, (w->n + 1) * sizeof *w->list);
    w->list[w->n++] = one;
}

static struct wanted given_for(struct wanted purpose, const struct given *given)
{
    purpose.given = given;
    return purpose;
}

/* One purpose: the sockets that were given for it, or else the configuration's addresses. `whose`: what each given socket is for. */
static void want_each(struct wanted_list *w, const struct given_list *given, const struct wanted *whose,
                      struct wanted purpose, const struct config_address *list, size_t n)
{
    size_t before = w->n;
    for (size_t i = 0; i < given->n; i++)
        if (whose[i].entrance == purpose.entrance && whose[i].forward == purpose.forward &&
            whose[i].gateway == purpose.gateway)
            want(w, given_for(purpose, &given->list[i]));
    if (w->n > before)
        return;
    for (size_t i = 0; i < n; i++) {
        purpose.address = &list[i];
        want(w, purpose);
    }
}

/* Of a socket that was given: as the address in the configuration has it, or the first one where it is not named there. */
static bool speaks_tls(const struct wanted *w)
{
    const struct config_gateway *g = w->gateway;
    if (!w->given)
        return w->address->tls;
    for (size_t i = 0; i < g->n_listen; i++)
        if (lists(&g->listen[i], 1, w->given->address))
            return g->listen[i].tls;
    return g->n_listen && g->listen[0].tls;
}

/* Certificates are read again at each reload, so that new connections have the new one. */
static bool secure_all(struct wanted_list *w, struct err *e)
{
    for (size_t i = 0; i < w->n; i++) {
        const struct config_gateway *g = w->list[i].gateway;
        if (!g || !speaks_tls(&w->list[i]))
            continue;
        struct err why = {0};
        w->list[i].tls = tls_server_new(g->certificate, g->key, &why);
        if (!w->list[i].tls)
            return err_set(e, why.code, "[gateway%s%s]: %s", *g->section ? " " : "", g->section, why.text);
    }
    return true;
}

bool wanted_find(struct wanted_list *w, const struct given_list *given, const struct config *c, struct err *e)
{
    struct wanted *whose = mem_zero((given->n + 1) * sizeof *whose);
    bool ok = true;
    for (size_t i = 0; ok && i < given->n; i++)
        ok = find_purpose(&whose[i], &given->list[i], c, e);
    for (size_t i = 0; ok && i < c->n_forwards; i++)
        want_each(w, given, whose, (struct wanted){.entrance = &entrance_fixed, .forward = &c->forwards[i]},
                  c->forwards[i].listen, c->forwards[i].n_listen);
    for (size_t i = 0; ok && i < c->n_gateways; i++)
        want_each(w, given, whose, (struct wanted){.entrance = &entrance_gateway, .gateway = &c->gateways[i]},
                  c->gateways[i].listen, c->gateways[i].n_listen);
    if (ok) {
        want_each(w, given, whose, (struct wanted){.entrance = &entrance_socks}, c->socks, c->n_socks);
        want_each(w, given, whose, (struct wanted){.entrance = &entrance_metrics}, c->metrics, c->n_metrics);
        want_each(w, given, whose, (struct wanted){.entrance = &entrance_http}, c->listen, c->n_listen);
    }
    free(whose);
    return ok && secure_all(w, e);
}

void wanted_done(struct wanted_list *w)
{
    for (size_t i = 0; i < w->n; i++)
        tls_server_unref(w->list[i].tls);
    free(w->list);
}
