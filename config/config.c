/*
 * The life of a configuration: made (whole_...), completed with defaults, checked as a whole, shared by
 * reference, released. Until config_load returns it belongs to one thread; afterwards it never changes, and
 * any thread may hold a reference.
 */
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/nearest.h"
#include "config/kinds.h"
#include "config/whole.h"

struct config_whole *whole_new(void)
{
    struct config_whole *w = mem_zero(sizeof *w);
    w->c.refs = 1;
    return w;
}

const char *whole_place(struct config_whole *w, const char *name)
{
    w->places = mem_grow(w->places, (w->n_places + 1) * sizeof *w->places);
    return w->places[w->n_places++] = mem_strdup(name);
}

struct config_upstream *whole_add_upstream(struct config_whole *w, struct span name, struct origin header)
{
    size_t i = named_add(w, section_find(SPAN("upstream")), name, header);
    return &w->c.upstreams[i];
}

bool origin_blame(struct origin at, struct err *e)
{
    if (!e)
        return false;
    struct err inner = *e;
    if (at.line)
        return err_set(e, inner.code, "%s:%u: %s", at.place, at.line, inner.text);
    return err_set(e, inner.code, "%s: %s", at.place, inner.text);
}

/* Defaults of one section's settings. `header`: where it begins, for what is missing. */
static bool complete_section(const struct section *section, const char *name, void *object,
                             struct origins *origins, struct err *e)
{
    for (size_t i = 0; i < n_settings; i++) {
        const struct setting *s = &settings[i];
        if (strcmp(s->section, section->name) != 0 || origins->keys[i].place)
            continue;
        if (s->required) {
            if (s->kind == &kind_token) /* an example of it is of no use */
                err_set(e, ERR_CONFIG, "[%s %s] has no \"%s\"; \"exeat token %s\" prints the line",
                        section->name, name, s->name, name);
            else
                err_set(e, ERR_CONFIG, "[%s %s] has no \"%s\"; write %s = %s", section->name, name, s->name,
                        s->name, s->example);
            return origin_blame(origins->header, e);
        }
        if (s->fallback && !s->kind->parse(s, object, span_str(s->fallback), e))
            return false;
    }
    return true;
}

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

static bool check_rules(const struct config_whole *w, struct err *e)
{
    size_t key = (size_t)(setting_find(section_find(SPAN("route")), SPAN("rule")) - settings);
    for (size_t i = 0; i < w->c.n_rules; i++) {
        const struct config_rule *r = &w->c.rules[i];
        if (r->way != WAY_UPSTREAM || config_upstream_named(&w->c, span_str(r->goal)))
            continue;
        struct nearest near;
        nearest_begin(&near, span_str(r->goal));
        nearest_offer(&near, "direct");
        nearest_offer(&near, "block");
        for (size_t k = 0; k < w->c.n_upstreams; k++)
            nearest_offer(&near, w->c.upstreams[k].name);
        err_set(e, ERR_CONFIG, "rule = %s %s: there is no [upstream %s]%s%s%s", r->pattern, r->goal, r->goal,
                near.name ? "; did you mean \"" : "", near.name ? near.name : "", near.name ? "\"?" : "");
        struct origin at = w->single[section_find(SPAN("route")) - sections].keys[key];
        return origin_blame((struct origin){.place = at.place},
                            e); /* the line is that of the first rule only */
    }
    return true;
}

bool whole_complete(struct config_whole *w, const char *file, struct err *e)
{
    for (size_t i = 0; i < n_sections; i++)
        if (!sections[i].named && !complete_section(&sections[i], "", &w->c, &w->single[i], e))
            return false;
    for (size_t i = 0; i < n_sections; i++)
        for (size_t k = 0; sections[i].named && k < named_count(w, &sections[i]); k++)
            if (!complete_section(&sections[i], named_name(w, &sections[i], k),
                                  named_object(w, &sections[i], k), named_origins(w, &sections[i], k), e))
                return false;
    for (size_t i = 0; i < w->c.n_upstreams; i++)
        w->c.upstreams[i].line = w->each_upstream[i].header.line;
    if (file && w->c.n_upstreams == 0)
        return err_set(
            e, ERR_CONFIG,
            "%s: there is no [upstream NAME] section; write one like this:\n\n    [upstream corp]\n"
            "    proxy = http://proxy.corp.example:8080\n    user = CORP\\alice",
            file);
    return check_tls(w, e) && check_mutual(w, e) && check_kerberos(w, e) && whole_check_places(w, e) &&
           whole_check_ways(w, e) && check_rules(w, e) && whole_check_headers(w, e) &&
           whole_check_clients(w, e) && whole_check_credentials(w, e);
}

struct config *config_ref(struct config *c)
{
    __atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
    return c;
}

static void free_address(struct config_address *a)
{
    free(a->host);
    free(a->path);
    free(a->text);
}

static void free_addresses(struct config_address *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free_address(&list[i]);
    free(list);
}

static void free_forward(struct config_forward *f)
{
    free_addresses(f->listen, f->n_listen);
    free_address(&f->target);
    free(f->name);
}

static void free_words(char **words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(words[i]);
    free(words);
}

static void free_upstream(struct config_upstream *u)
{
    for (size_t i = 0; i < u->n_proxies; i++) {
        free(u->proxies[i].host);
        free(u->proxies[i].text);
    }
    free(u->proxies);
    for (size_t i = 0; i < u->n_hosts; i++)
        pattern_free(&u->hosts[i]);
    free(u->hosts);
    free(u->name);
    free(u->user);
    free(u->secret_argument);
    free(u->spn);
    free(u->via);
    free(u->ca);
    free(u->pins);
    free(u->certificate);
    free(u->key);
    free(u->domain);
    free(u->workstation);
    free_words(u->no_auth, u->n_no_auth);
}

static void free_networks(struct config_network *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i].text);
    free(list);
}

static void free_headers(struct config_header *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(list[i].pattern);
        free(list[i].upstream);
        free(list[i].name);
        free(list[i].value);
    }
    free(list);
}

void config_unref(struct config *c)
{
    if (!c || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    struct config_whole *w = (struct config_whole *)c;
    free_addresses(c->listen, c->n_listen);
    free_addresses(c->socks, c->n_socks);
    free_addresses(c->metrics, c->n_metrics);
    free(c->log_file);
    for (size_t i = 0; i < c->n_forwards; i++)
        free_forward(&c->forwards[i]);
    free(c->forwards);
    for (size_t i = 0; i < c->n_allow_uids; i++)
        free(c->allow_uids[i].text);
    free(c->allow_uids);
    for (size_t i = 0; i < c->n_upstreams; i++)
        free_upstream(&c->upstreams[i]);
    free(c->upstreams);
    free_words(c->no_proxy, c->n_no_proxy);
    for (size_t i = 0; i < c->n_rules; i++) {
        free(c->rules[i].pattern);
        free(c->rules[i].goal);
    }
    free(c->rules);
    free_headers(c->headers, c->n_headers);
    free_networks(c->allow, c->n_allow);
    for (size_t i = 0; i < c->n_clients; i++) {
        free(c->clients[i].name);
        free_networks(c->clients[i].from, c->clients[i].n_from);
    }
    free(c->clients);
    free(c->pac_place);
    free_words(w->places, w->n_places);
    free(w->each_upstream);
    free(w->each_forward);
    free(w->each_client);
    free(c->file);
    free(w);
}

const struct config_upstream *config_upstream_named(const struct config *c, struct span name)
{
    for (size_t i = 0; i < c->n_upstreams; i++)
        if (span_eq(name, span_str(c->upstreams[i].name)))
            return &c->upstreams[i];
    return NULL;
}

bool config_upstream_has(const struct config_upstream *u, struct span host, uint16_t port)
{
    for (size_t i = 0; i < u->n_proxies; i++)
        if (u->proxies[i].port == port && span_ieq(span_str(u->proxies[i].host), host))
            return true;
    return false;
}

bool config_upstream_meets(const struct config_upstream *u, struct span host, uint16_t port)
{
    struct destination d = destination_of(host, port);
    for (size_t i = 0; i < u->n_hosts; i++)
        if (pattern_matches(&u->hosts[i], &d))
            return true;
    return config_upstream_has(u, host, port);
}
