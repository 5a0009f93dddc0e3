/*
 * Doors: from the addresses in a configuration to listeners. A change is prepared as a whole list beside the present one and takes its place only when all
 * of it is there. The list owns its doors; a door that stays is the same one in both lists.
 */
#include "doors.h"

#include <stdlib.h>

#include "base/log.h"
#include "http/target.h"
#include "net/tls.h"

#define DOORS_MOST 1000

/* A door that a configuration wants. */
struct wanted {
    const struct entrance *entrance;
    const struct config_forward *forward; /* entrance_fixed */
    const struct config_gateway *gateway; /* entrance_gateway */
    const struct config_address *address;
    const struct given *given; /* instead of the address */
    struct tls_server *tls;    /* a reference; NULL: in clear */
};

struct wanted_list {
    struct wanted *list;
    size_t n;
};

/* --- what for --- */

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

static bool want_all(struct wanted_list *w, const struct doors *d, const struct config *c, struct err *e)
{
    struct wanted *whose = mem_zero((d->given.n + 1) * sizeof *whose);
    bool ok = true;
    for (size_t i = 0; ok && i < d->given.n; i++)
        ok = find_purpose(&whose[i], &d->given.list[i], c, e);
    for (size_t i = 0; ok && i < c->n_forwards; i++)
        want_each(w, &d->given, whose,
                  (struct wanted){.entrance = &entrance_fixed, .forward = &c->forwards[i]},
                  c->forwards[i].listen, c->forwards[i].n_listen);
    for (size_t i = 0; ok && i < c->n_gateways; i++)
        want_each(w, &d->given, whose,
                  (struct wanted){.entrance = &entrance_gateway, .gateway = &c->gateways[i]},
                  c->gateways[i].listen, c->gateways[i].n_listen);
    if (ok) {
        want_each(w, &d->given, whose, (struct wanted){.entrance = &entrance_socks}, c->socks, c->n_socks);
        want_each(w, &d->given, whose, (struct wanted){.entrance = &entrance_metrics}, c->metrics,
                  c->n_metrics);
        want_each(w, &d->given, whose, (struct wanted){.entrance = &entrance_http}, c->listen, c->n_listen);
    }
    free(whose);
    return ok;
}

static void forget(struct wanted_list *w)
{
    for (size_t i = 0; i < w->n; i++)
        tls_server_unref(w->list[i].tls);
    free(w->list);
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

/* --- one door --- */

static void accepted(void *owner, struct stream *s)
{
    struct door *door = owner;
    relay_accept(door->relay, door->entrance, door->to, door->number, s);
}

/* Those who have connected already are let in first. What systemd holds open is the next agent's. */
static void door_close(struct door *door)
{
    if (door->listener && !door->given && door->open)
        listener_take_waiting(door->listener);
    if (door->open)
        relay_retire(door->relay, door->number);
    if (door->listener)
        listener_close(door->listener);
    fixed_unref(door->to.fixed);
    gate_unref(door->to.gate);
    tls_server_unref(door->to.tls);
    free(door->text);
    free(door);
}

static void say_ready(const struct door *door)
{
    const char *name = listener_name(door->listener);
    if (door->entrance == &entrance_fixed)
        log_info(NULL, "ready: forward %s on %s to %s", door->to.fixed->name, name, door->to.fixed->target);
    else if (door->entrance == &entrance_socks)
        log_info(NULL, "ready: SOCKS on %s", name);
    else if (door->entrance == &entrance_gateway)
        log_info(NULL, "ready: gateway %s on %s%s", door->to.gate->name, door->to.tls ? "https://" : "",
                 name);
    else if (door->entrance == &entrance_metrics)
        log_info(NULL, "ready: figures on %s", name);
    else
        log_info(NULL, "ready: listening on %s%s", strncmp(name, "unix:", 5) == 0 ? "" : "http://", name);
}

static struct door *door_open(struct relay *relay, const struct wanted *w, struct err *e)
{
    struct door *door = mem_zero(sizeof *door);
    const struct config_address *at = w->address;
    *door = (struct door){.relay = relay,
                          .entrance = w->entrance,
                          .number = relay_door(relay),
                          .text = mem_strdup(w->given ? w->given->address : at->text),
                          .given = w->given};
    struct loop *loop = relay->out->loop;
    door->listener =
        w->given   ? listen_given(loop, w->given, accepted, door, e)
        : at->path ? listen_unix(loop, at->path, accepted, door, e)
        : config_address_is_beyond(at) && (w->entrance == &entrance_http || w->entrance == &entrance_gateway)
            ? listen_tcp_open(loop, at->host, at->port, accepted, door, e)
            : listen_tcp(loop, at->host, at->port, accepted, door, e);
    if (door->listener)
        return door;
    door_close(door);
    return NULL;
}

/* --- the list --- */

static bool holds(struct door *const *list, size_t n, const struct door *door)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == door)
            return true;
    return false;
}

/* Is this very door wanted? With port 0, "the same" is the one that had the same purpose. */
static bool fits(const struct door *door, const struct wanted *w)
{
    if (door->given || w->given)
        return door->given == w->given;
    if (strcmp(door->text, w->address->text) != 0)
        return strcmp(listener_name(door->listener), w->address->text) == 0;
    if (w->address->path || w->address->port != 0)
        return true;
    return door->entrance == w->entrance &&
           (!w->forward || strcmp(door->to.fixed->name, w->forward->name) == 0) &&
           (!w->gateway || strcmp(door->to.gate->name, w->gateway->name) == 0);
}

static struct fixed *fixed_named(struct door *const *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (list[i]->to.fixed && strcmp(list[i]->to.fixed->name, name) == 0)
            return list[i]->to.fixed;
    return NULL;
}

static struct gate *gate_named(struct door *const *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (list[i]->to.gate && strcmp(list[i]->to.gate->name, name) == 0)
            return list[i]->to.gate;
    return NULL;
}

/* The same for gateways, whose clients are counted by name. */
static struct gate *find_gate(struct doors *d, const struct wanted *w, struct door *const *next, size_t n)
{
    struct gate *gate = gate_named(d->list, d->n, w->gateway->name);
    if (!gate)
        gate = gate_named(next, n, w->gateway->name);
    return gate ? gate_ref(gate) : gate_new(&d->relay->gates, w->gateway->name);
}

/* Gives a door its purpose. The tunnels' own figures go on as long as their name stands in the configuration. */
static void dedicate(struct doors *d, struct door *door, const struct wanted *w, struct door *const *next,
                     size_t n)
{
    struct fixed *fixed = NULL;
    struct gate *gate = w->gateway ? find_gate(d, w, next, n) : NULL;
    if (w->forward) {
        fixed = fixed_named(d->list, d->n, w->forward->name);
        if (!fixed)
            fixed = fixed_named(next, n, w->forward->name);
        fixed = fixed ? fixed_ref(fixed) : fixed_new(w->forward);
        fixed_aim(fixed, w->forward);
    }
    fixed_unref(door->to.fixed);
    gate_unref(door->to.gate);
    tls_server_unref(door->to.tls);
    door->to = (struct leads){.fixed = fixed, .gate = gate, .tls = tls_server_ref(w->tls)};
    door->entrance = w->entrance;
}

static bool is_ipv6(const struct wanted *w)
{
    return w->address && w->address->host && strchr(w->address->host, ':');
}

/* Many machines have no IPv6, not even ::1, and it is in the default: they do with the other addresses for the same purpose. */
static bool can_do_without(const struct wanted_list *wanted, const struct wanted *w, const struct err *e)
{
    bool others = false;
    for (size_t i = 0; i < wanted->n; i++) {
        const struct wanted *o = &wanted->list[i];
        others |=
            o->entrance == w->entrance && o->forward == w->forward && o->gateway == w->gateway && !is_ipv6(o);
    }
    return others && is_ipv6(w) && e->code == ERR_UNREACHABLE;
}

static void leave_out(struct wanted_list *wanted, size_t at)
{
    log_info(NULL, "this machine has no IPv6: nothing listens on %s", wanted->list[at].address->text);
    tls_server_unref(wanted->list[at].tls);
    memmove(&wanted->list[at], &wanted->list[at + 1], (--wanted->n - at) * sizeof *wanted->list);
}

static size_t open_all(struct doors *d, struct wanted_list *wanted, struct door **next, struct err *e)
{
    size_t n = 0;
    while (n < wanted->n) {
        const struct wanted *w = &wanted->list[n];
        next[n] = NULL;
        for (size_t k = 0; k < d->n && !next[n]; k++)
            if (fits(d->list[k], w) && !holds(next, n, d->list[k]))
                next[n] = d->list[k];
        if (!next[n])
            next[n] = door_open(d->relay, w, e);
        if (next[n]) {
            n++;
        } else if (can_do_without(wanted, w, e)) {
            leave_out(wanted, n);
        } else {
            e->code = ERR_SYSTEM;
            if (w->address && d->explain)
                d->explain(d->explain_owner, w->address->path, e);
            break;
        }
    }
    return n;
}

static void take_over(struct doors *d, const struct wanted_list *wanted, struct door **next)
{
    for (size_t i = 0; i < wanted->n; i++) {
        bool stays = holds(d->list, d->n, next[i]);
        dedicate(d, next[i], &wanted->list[i], next, i);
        next[i]->open = true;
        if (!stays)
            say_ready(next[i]);
    }
    for (size_t i = 0; i < d->n; i++)
        if (!holds(next, wanted->n, d->list[i]))
            door_close(d->list[i]);
    free(d->list);
    d->list = next;
    d->n = wanted->n;
}

bool doors_set(struct doors *d, const struct config *c, struct err *e)
{
    struct wanted_list wanted = {0};
    bool known = want_all(&wanted, d, c, e) && secure_all(&wanted, e);
    if (!known || wanted.n > DOORS_MOST) {
        forget(&wanted);
        return known && err_set(e, ERR_CONFIG, "at most %d addresses can be listened on", DOORS_MOST);
    }
    struct door **next = mem_alloc((wanted.n + 1) * sizeof(struct door *));
    size_t opened = open_all(d, &wanted, next, e);
    bool done = opened == wanted.n;
    if (done) {
        take_over(d, &wanted, next);
    } else {
        while (opened-- > 0)
            if (!holds(d->list, d->n, next[opened]))
                door_close(next[opened]);
        free(next);
    }
    forget(&wanted);
    return done;
}

void doors_close(struct doors *d)
{
    for (size_t i = 0; i < d->n; i++)
        door_close(d->list[i]);
    free(d->list);
    d->list = NULL;
    d->n = 0;
    given_free(&d->given);
}

const struct gate *doors_gate(const struct doors *d, const char *name)
{
    return gate_named(d->list, d->n, name);
}

const struct fixed *doors_fixed(const struct doors *d, const char *name)
{
    return fixed_named(d->list, d->n, name);
}
