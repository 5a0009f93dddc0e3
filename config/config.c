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
#include "config/ini.h"
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

/* A section without a name, and where its values came from. */
struct general {
    const void *object; /* NULL: there is none */
    const struct origins *origins;
};

static struct general general_of(const struct config_whole *w, const struct section *section,
                                 const char *name)
{
    size_t i;
    if (!section->general || !*name || !named_find(w, section, SPAN(""), &i))
        return (struct general){0};
    return (struct general){named_object(w, section, i), named_origins(w, section, i)};
}

/* The general section's value, by way of its text. false with no *e: there it is not set either. */
static bool inherit(const struct setting *s, void *object, struct general from, struct origin *at,
                    struct err *e)
{
    struct buf text = {0}, value = {0};
    bool ok = true;
    *at = from.origins->keys[s - settings];
    if (s->kind->print(s, from.object, &text)) {
        ok = s->kind->list || ini_value(buf_span(&text), &value, e);
        ok = ok && s->kind->parse(s, object, buf_span(s->kind->list ? &text : &value), e);
    }
    buf_free(&text);
    buf_free(&value);
    return ok;
}

/* Defaults of one section's settings. `header`: where it begins, for what is missing. */
static bool complete_section(const struct section *section, const char *name, void *object,
                             struct origins *origins, struct general general, struct err *e)
{
    for (size_t i = 0; i < n_settings; i++) {
        const struct setting *s = &settings[i];
        if (strcmp(s->section, section->name) != 0 || origins->keys[i].place)
            continue;
        if (general.object && !s->own) {
            if (!inherit(s, object, general, &origins->keys[i], e))
                return false;
            continue;
        }
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

static bool complete_named(struct config_whole *w, const struct section *section, bool general, struct err *e)
{
    for (size_t k = 0; k < named_count(w, section); k++) {
        const char *name = named_name(w, section, k);
        if (!*name == general &&
            !complete_section(section, name, named_object(w, section, k), named_origins(w, section, k),
                              general_of(w, section, name), e))
            return false;
    }
    return true;
}

/* What others take their values from comes first. */
static bool complete_all(struct config_whole *w, struct err *e)
{
    for (size_t i = 0; i < n_sections; i++)
        if (!sections[i].named &&
            !complete_section(&sections[i], "", &w->c, &w->single[i], (struct general){0}, e))
            return false;
    for (size_t i = 0; i < n_sections; i++)
        if (sections[i].named &&
            !(complete_named(w, &sections[i], true, e) && complete_named(w, &sections[i], false, e)))
            return false;
    return true;
}

bool whole_complete(struct config_whole *w, const char *file, struct err *e)
{
    if (!complete_all(w, e))
        return false;
    for (size_t i = 0; i < w->c.n_upstreams; i++)
        w->c.upstreams[i].line = w->each_upstream[i].header.line;
    if (file && w->c.n_upstreams == 0)
        return err_set(
            e, ERR_CONFIG,
            "%s: there is no [upstream NAME] section; write one like this:\n\n    [upstream corp]\n"
            "    proxy = http://proxy.corp.example:8080\n    user = CORP\\alice",
            file);
    /* What a gateway lacks to be safe comes before what else may be wrong with it. */
    return whole_check_upstreams(w, e) && whole_check_gateways(w, e) && whole_check_places(w, e) &&
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

static void free_gateway(struct config_gateway *g)
{
    free_addresses(g->listen, g->n_listen);
    free_networks(g->allow, g->n_allow);
    free(g->section);
    free(g->name);
    free(g->keytab);
    free(g->users);
    free(g->realm);
    free(g->domain);
    free(g->certificate);
    free(g->key);
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
    for (size_t i = 0; i < c->n_gateways; i++)
        free_gateway(&c->gateways[i]);
    free(c->gateways);
    free(c->pac_place);
    free_words(w->places, w->n_places);
    free(w->each_upstream);
    free(w->each_forward);
    free(w->each_client);
    free(w->each_gateway);
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
