/*
 * Doors: from the addresses in a configuration to listeners. A change is prepared as a whole list beside the present one and takes its place only when all
 * of it is there. The list owns its doors; a door that stays is the same one in both lists.
 */
#include "doors.h"

#include <stdlib.h>

#include "base/log.h"
#include "net/tls.h"
#include "wanted.h"

#define DOORS_MOST 1000

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
    if (door->to.fixed)
        log_info(NULL, "ready: forward %s on %s to %s", door->to.fixed->name, name, door->to.fixed->target);
    else if (door->entrance == &entrance_socks)
        log_info(NULL, "ready: SOCKS on %s", name);
    else if (door->to.gate)
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
    bool known = wanted_find(&wanted, &d->given, c, e);
    if (!known || wanted.n > DOORS_MOST) {
        wanted_done(&wanted);
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
    wanted_done(&wanted);
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
