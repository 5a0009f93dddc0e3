/*
 * What does not go together in one [upstream]: each of these would fail at every request, so it is said at the start. Pure functions, any thread.
 */
#include "config/whole.h"

static bool upstream_has_tls(const struct config_upstream *u)
{
    for (size_t i = 0; i < u->n_proxies; i++)
        if (u->proxies[i].tls)
            return true;
    return false;
}

/* Settings for TLS that would protect nothing, or lack a half. */
static bool check_tls(const struct config_whole *w, struct err *e)
{
    static const char *const names[] = {"key", "certificate", "pin", "ca"};
    for (size_t i = 0; i < w->c.n_upstreams; i++) {
        struct origin at[sizeof names / sizeof *names];
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            at[k] = w->each_upstream[i]
                        .keys[setting_find(section_find(SPAN("upstream")), span_str(names[k])) - settings];
        for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
            if (!at[k].place || upstream_has_tls(&w->c.upstreams[i]))
                continue;
            err_set(e, ERR_CONFIG,
                    "%s: it is for proxies that are reached by TLS, and none of this upstream's is: write "
                    "proxy = https://HOST:PORT",
                    names[k]);
            return origin_blame(at[k], e);
        }
        if (at[0].place && !at[1].place) {
            err_set(e, ERR_CONFIG,
                    "key: it belongs to a certificate, and there is none: write certificate = FILE");
            return origin_blame(at[0], e);
        }
    }
    return true;
}

static bool is_named(const struct config_upstream *u, enum auth_scheme scheme)
{
    for (size_t i = 0; i < u->n_auth; i++)
        if (u->auth[i] == scheme)
            return true;
    return false;
}

/* A proof that could never come: each request would fail. */
static bool check_mutual(const struct config_whole *w, struct err *e)
{
    size_t key = (size_t)(setting_find(section_find(SPAN("upstream")), SPAN("mutual")) - settings);
    for (size_t i = 0; i < w->c.n_upstreams; i++) {
        const struct config_upstream *u = &w->c.upstreams[i];
        bool negotiate = is_named(u, AUTH_NEGOTIATE);
        if (u->mutual != MUTUAL_REQUIRE || (negotiate && u->client_credentials != CLIENT_CREDENTIALS_PASS))
            continue;
        err_set(e, ERR_CONFIG,
                "mutual = require: only Kerberos lets a proxy prove itself, and this upstream %s",
                negotiate ? "passes the programs' own credentials on: write client-credentials = drop"
                          : "does not answer it: name negotiate in auth =");
        return origin_blame(w->each_upstream[i].keys[key], e);
    }
    return true;
}

/* Kerberos without what it is made of. */
static bool check_kerberos(const struct config_whole *w, struct err *e)
{
    const struct section *section = section_find(SPAN("upstream"));
    size_t kerberos = (size_t)(setting_find(section, SPAN("kerberos")) - settings);
    size_t secret = (size_t)(setting_find(section, SPAN("secret")) - settings);
    for (size_t i = 0; i < w->c.n_upstreams; i++) {
        const struct config_upstream *u = &w->c.upstreams[i];
        if (u->kerberos == KERBEROS_ACQUIRE && u->secret == SECRET_NONE &&
            u->client_credentials != CLIENT_CREDENTIALS_USE) {
            err_set(e, ERR_CONFIG,
                    "kerberos: acquire gets a ticket with a password, and secret = none says that there is "
                    "none");
            return origin_blame(w->each_upstream[i].keys[kerberos], e);
        }
        if (u->secret == SECRET_NT_HASH && u->kerberos == KERBEROS_ACQUIRE) {
            err_set(e, ERR_CONFIG,
                    "kerberos: acquire gets a ticket with a password, and secret = nt-hash is none");
            return origin_blame(w->each_upstream[i].keys[kerberos], e);
        }
        if (u->secret == SECRET_NT_HASH && !is_named(u, AUTH_NTLM)) {
            err_set(e, ERR_CONFIG, "secret: an NT hash is for NTLM, and auth does not name ntlm");
            return origin_blame(w->each_upstream[i].keys[secret], e);
        }
        if (u->secret == SECRET_KEYTAB && !is_named(u, AUTH_NEGOTIATE)) {
            err_set(e, ERR_CONFIG, "secret: a keytab is for Kerberos, and auth does not name negotiate");
            return origin_blame(w->each_upstream[i].keys[secret], e);
        }
    }
    return true;
}

bool whole_check_upstreams(const struct config_whole *w, struct err *e)
{
    return check_tls(w, e) && check_mutual(w, e) && check_kerberos(w, e);
}
