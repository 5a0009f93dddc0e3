/*
 * What does not go together in the settings that say whose credentials an upstream gets: ours, those that clients bring, or none.
 * Pure; one thread, while the configuration is made.
 */
#include <ctype.h>

#include "config/whole.h"

static const struct origin *key_of(const struct config_whole *w, size_t upstream, const char *key)
{
    size_t i = (size_t)(setting_find(section_find(SPAN("upstream")), span_str(key)) - settings);
    return &w->each_upstream[upstream].keys[i];
}

static bool names_only_negotiate(const struct config_upstream *u)
{
    return u->n_auth == 1 && u->auth[0] == AUTH_NEGOTIATE;
}

/* The credentials that clients bring need a scheme that can carry them. NULL: it has one. */
static const char *use_in_vain(const struct config_upstream *u)
{
    if (u->client_credentials != CLIENT_CREDENTIALS_USE)
        return NULL;
    if (u->n_auth == 0)
        return "client-credentials: use answers the proxy with a program's user and password, and auth = "
               "none "
               "says that nothing is answered";
    if (names_only_negotiate(u) && u->kerberos != KERBEROS_ACQUIRE)
        return "client-credentials: use has nothing but a program's user and password, and Negotiate alone "
               "needs a Kerberos ticket: write kerberos = acquire, or name ntlm in auth =";
    return NULL;
}

/* A request has room for one Proxy-Authorization field. NULL: nobody else wants it. */
static const char *no_room(const struct config_upstream *u)
{
    if (!u->pass_authorization)
        return NULL;
    if (u->client_credentials == CLIENT_CREDENTIALS_PASS)
        return "pass-authorization: client-credentials = pass leaves the field on already, and keeps the "
               "connection for that program: write only one of the two";
    if (u->client_credentials == CLIENT_CREDENTIALS_USE)
        return "pass-authorization: client-credentials = use takes the field as who we are, and it goes no "
               "further: write only one of the two";
    if (u->n_auth > 0)
        return "pass-authorization: a request has room for one Proxy-Authorization field, and here it would "
               "be "
               "ours: write auth = none, if this proxy takes the program's";
    return NULL;
}

/* Whose requests go through tunnels that we make ourselves, to SOCKS servers or for plain http, carry no Proxy-Authorization at all. NULL: not here. */
static const char *in_a_tunnel(const struct config_upstream *u)
{
    bool tunnels = u->connect_always;
    for (size_t i = 0; i < u->n_proxies; i++)
        tunnels = tunnels || u->proxies[i].socks;
    if (tunnels && u->client_credentials == CLIENT_CREDENTIALS_USE)
        return "client-credentials: use is for HTTP proxies: the tunnels of socks5:// are ours, so that we "
               "must "
               "authenticate ourselves";
    if (tunnels && u->n_no_auth > 0)
        return "no-auth: it is for requests that an HTTP proxy reads one by one, and those of socks5:// and "
               "connect-always go through tunnels of ours";
    if (tunnels && u->pass_authorization)
        return "pass-authorization: requests through the tunnels of socks5:// and connect-always have no "
               "such field";
    return NULL;
}

static bool names_negotiate(const enum auth_scheme *auth, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (auth[i] == AUTH_NEGOTIATE)
            return true;
    return false;
}

/* Who comes in with a ticket may hand it on. Without that each user needs a secret of his own. false: *e. */
static bool check_secrets_of_users(const struct config_gateway *g, const struct config_upstream *u,
                                   struct err *e)
{
    bool answers = u->n_auth && u->client_credentials == CLIENT_CREDENTIALS_DROP;
    bool tickets = names_negotiate(g->auth, g->n_auth) && names_negotiate(u->auth, u->n_auth);
    if (!g->n_listen || g->identity != GATEWAY_IDENTITY_PER_USER || !answers || tickets ||
        secret_tells_users(u->secret, u->secret_argument))
        return true;
    return err_set(
        e, ERR_CONFIG,
        "secret: %s is the same for everybody, and [gateway%s%s] says identity = per-user: write secret = "
        "keyring, file:PATH with %s in it for the user, or command:COMMAND with $%s",
        secret_source_name(u->secret), *g->section ? " " : "", g->section, SECRET_USER, SECRET_USER_VARIABLE);
}

static bool check_users(const struct config_whole *w, struct err *e)
{
    for (size_t i = 0; i < w->c.n_upstreams; i++) {
        struct origin at = *key_of(w, i, "secret");
        for (size_t k = 0; k < w->c.n_gateways; k++)
            if (!check_secrets_of_users(&w->c.gateways[k], &w->c.upstreams[i], e))
                return origin_blame(at.place ? at : w->each_upstream[i].header, e);
    }
    return true;
}

/* What stands in NTLM's messages and in front of a backslash. */
static bool is_name(const char *text)
{
    for (const char *p = text; p && *p; p++)
        if (iscntrl((unsigned char)*p) || isspace((unsigned char)*p) || strchr("\\/@:", *p))
            return false;
    return true;
}

static bool blame(const struct origin *at, const char *why, struct err *e)
{
    err_set(e, ERR_CONFIG, "%s", why);
    return origin_blame(*at, e);
}

bool whole_check_credentials(const struct config_whole *w, struct err *e)
{
    for (size_t i = 0; i < w->c.n_upstreams; i++) {
        const struct config_upstream *u = &w->c.upstreams[i];
        const char *why;
        if ((why = use_in_vain(u)))
            return blame(key_of(w, i, "client-credentials"), why, e);
        if ((why = in_a_tunnel(u)))
            return blame(key_of(w, i,
                                why[0] == 'c'   ? "client-credentials"
                                : why[0] == 'n' ? "no-auth"
                                                : "pass-authorization"),
                         why, e);
        if ((why = no_room(u)))
            return blame(key_of(w, i, "pass-authorization"), why, e);
        if (!is_name(u->domain))
            return blame(key_of(w, i, "domain"),
                         "domain: it is a name alone, like CORP, without backslash, @ or blanks", e);
        if (!is_name(u->workstation))
            return blame(key_of(w, i, "workstation"),
                         "workstation: it is a name alone, like DESK42, without blanks", e);
    }
    return check_users(w, e);
}
