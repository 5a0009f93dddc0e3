/*
 * [gateway] sections as a whole: their names, and what a gateway that listens must have so that it can tell who comes. Pure; one thread, while the configuration is
 * made.
 */
#include <stdlib.h>

#include "config/whole.h"

#define GENERAL "gateway"

static struct origin key_of(const struct config_whole *w, const struct config_gateway *g, const char *key)
{
    const struct setting *s = setting_find(section_find(SPAN("gateway")), span_str(key));
    return w->each_gateway[g - w->c.gateways].keys[s - settings];
}

static bool blame(const struct config_whole *w, const struct config_gateway *g, const char *key,
                  struct err *e)
{
    struct origin at = key_of(w, g, key);
    return origin_blame(at.place ? at : w->each_gateway[g - w->c.gateways].header, e);
}

/* Elsewhere each goes by one name. */
static bool give_name(const struct config_whole *w, struct config_gateway *g, struct err *e)
{
    g->name = mem_strdup(*g->section ? g->section : GENERAL);
    if (strcmp(g->section, GENERAL) != 0)
        return true;
    err_set(e, ERR_CONFIG, "[gateway gateway] would be taken for [gateway]; choose another name");
    return origin_blame(w->each_gateway[g - w->c.gateways].header, e);
}

static bool offers(const struct config_gateway *g, enum auth_scheme scheme)
{
    for (size_t i = 0; i < g->n_auth; i++)
        if (g->auth[i] == scheme)
            return true;
    return false;
}

static bool check_open(const struct config_whole *w, const struct config_gateway *g, struct err *e)
{
    for (size_t i = 0; i < g->n_listen; i++) {
        if (!config_address_is_beyond(&g->listen[i]) || (g->n_allow && g->n_auth))
            continue;
        err_set(e, ERR_CONFIG,
                "listen: %s is not an address of this machine alone (127.0.0.1, [::1]), and others could use "
                "your identity; say %s%s%s",
                g->listen[i].text, g->n_allow ? "" : "from where they may come (allow = 192.0.2.0/24)",
                g->n_allow || g->n_auth ? "" : ", and ",
                g->n_auth ? "" : "how they show who they are (auth = negotiate)");
        return blame(w, g, "listen", e);
    }
    if (g->n_auth)
        return true;
    err_set(e, ERR_CONFIG,
            "auth: a gateway asks its clients who they are; say how, by one or several of these: auth = "
            "negotiate ntlm digest basic");
    return blame(w, g, "auth", e);
}

/* Schemes that compare with something need it. */
static bool check_users(const struct config_whole *w, const struct config_gateway *g, struct err *e)
{
    static const enum auth_scheme by_file[] = {AUTH_NTLM, AUTH_DIGEST, AUTH_BASIC};
    for (size_t i = 0; i < sizeof by_file / sizeof *by_file && !g->users; i++) {
        bool ntlm = by_file[i] == AUTH_NTLM;
        if (!offers(g, by_file[i]) || (ntlm && g->winbind))
            continue;
        err_set(e, ERR_CONFIG,
                "auth: %s needs names and hashes of passwords to compare with: write users = FILE%s",
                auth_scheme_name(by_file[i]),
                ntlm ? ", or winbind = yes where this machine has joined a domain" : "");
        return blame(w, g, "auth", e);
    }
    return true;
}

static bool check_tls(const struct config_whole *w, const struct config_gateway *g, struct err *e)
{
    const struct config_address *secure = NULL;
    for (size_t i = 0; i < g->n_listen && !secure; i++)
        if (g->listen[i].tls)
            secure = &g->listen[i];
    if (g->key && !g->certificate) {
        err_set(e, ERR_CONFIG,
                "key: it belongs to a certificate, and there is none: write certificate = FILE");
        return blame(w, g, "key", e);
    }
    if (!secure || g->certificate)
        return true;
    err_set(e, ERR_CONFIG, "listen: https://%s needs a certificate: write certificate = FILE", secure->text);
    return blame(w, g, "listen", e);
}

/* Who sees no credentials has nothing to prove. */
static bool check_mutual(const struct config_whole *w, const struct config_gateway *g, struct err *e)
{
    if (g->mutual != GATEWAY_MUTUAL_PASS || g->pass_authorization)
        return true;
    err_set(
        e, ERR_CONFIG,
        "mutual: the next proxy can prove itself to a client only if it gets the client's credentials: write "
        "pass-authorization = yes, here and in the [upstream]");
    return blame(w, g, "mutual", e);
}

bool whole_check_gateways(struct config_whole *w, struct err *e)
{
    for (size_t i = 0; i < w->c.n_gateways; i++)
        if (!give_name(w, &w->c.gateways[i], e))
            return false;
    for (size_t i = 0; i < w->c.n_gateways; i++) {
        const struct config_gateway *g = &w->c.gateways[i];
        if (*g->section && !g->n_listen) {
            err_set(e, ERR_CONFIG, "[gateway %s] listens nowhere; write listen = HOST:PORT", g->section);
            return origin_blame(w->each_gateway[i].header, e);
        }
        if (g->n_listen &&
            !(check_open(w, g, e) && check_users(w, g, e) && check_tls(w, g, e) && check_mutual(w, g, e)))
            return false;
    }
    return true;
}

const struct config_gateway *config_gateway_named(const struct config *c, struct span name)
{
    for (size_t i = 0; i < c->n_gateways; i++)
        if (span_eq(name, span_str(c->gateways[i].name)))
            return &c->gateways[i];
    return NULL;
}
