/*
 * Each family of figures: its TYPE, UNIT and HELP lines, then its samples. Plain numbers are rows of a table.
 */
#include "relay/metrics.h"

#include <inttypes.h>

#include "base/escape.h"
#include "base/log.h"
#include "upstream/pool.h"

enum kind { COUNTER, GAUGE };

static void head(struct buf *out, const char *name, enum kind kind, const char *unit, const char *help)
{
    buf_addf(out, "# TYPE exeat_%s %s\n", name, kind == COUNTER ? "counter" : "gauge");
    if (unit)
        buf_addf(out, "# UNIT exeat_%s %s\n", name, unit);
    buf_addf(out, "# HELP exeat_%s %s\n", name, help);
}

/* `labels`: pairs of a name and a value, ended by a NULL name. */
static void sample(struct buf *out, const char *name, enum kind kind, const char *const *labels,
                   uint64_t value)
{
    const char *before = "{";
    buf_addf(out, "exeat_%s%s", name, kind == COUNTER ? "_total" : "");
    for (; labels && labels[0]; labels += 2) {
        buf_addf(out, "%s%s=\"", before, labels[0]);
        escape_label(out, span_str(labels[1]));
        buf_add_str(out, "\"");
        before = ",";
    }
    buf_addf(out, "%s %" PRIu64 "\n", *before == ',' ? "}" : "", value);
}

/* --- plain numbers --- */

static void write_numbers(const struct relay *r, struct buf *out)
{
    const struct counters *c = &r->out->counters;
    const struct {
        const char *name;
        enum kind kind;
        const char *unit, *help;
        uint64_t value;
    } rows[] = {
        {"start_time_seconds", GAUGE, "seconds", "When the agent was started, in seconds since 1970.",
         (uint64_t)r->started},
        {"clients", GAUGE, NULL, "Programs connected at present, tunnels not counted.", r->clients_open},
        {"tunnels_open", GAUGE, NULL, "Tunnels open at present.", r->tunnels_open},
        {"held", GAUGE, NULL, "CONNECT requests that wait for a password at present.", r->holds.n},
        {"tunnels", COUNTER, NULL, "Tunnels opened.", c->tunnels},
        {"connections", COUNTER, NULL, "Connections made to proxies and destinations.", c->connections},
        {"challenges", COUNTER, NULL, "Answers 407 received from proxies.", c->challenges},
        {"handshakes", COUNTER, NULL, "Connections on which a proxy took our credentials.", c->handshakes},
        {"refusals", COUNTER, NULL, "Requests that failed because credentials were refused.", c->refusals},
        {"alarms", COUNTER, NULL, "Requests that failed because a proxy offered less than before.",
         c->alarms},
        {"turned_away", COUNTER, NULL, "Clients that may not use the agent.", r->turned_away},
        {"keyholder_restarts", COUNTER, NULL,
         "Times that the keyholder has ended and was or is started again.",
         keys_client_instance(r->out->keys) - KEYS_FIRST_INSTANCE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        head(out, rows[i].name, rows[i].kind, rows[i].unit, rows[i].help);
        sample(out, rows[i].name, rows[i].kind, NULL, rows[i].value);
    }
}

static void write_pair(struct buf *out, const char *name, const char *unit, const char *help,
                       const char *label, const char *const values[2], const uint64_t numbers[2])
{
    head(out, name, COUNTER, unit, help);
    for (size_t i = 0; i < 2; i++)
        sample(out, name, COUNTER, (const char *const[]){label, values[i], NULL}, numbers[i]);
}

/* --- requests --- */

static void write_requests(const struct relay *r, struct buf *out)
{
    static const char *const classes[SUMS_CLASSES] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    head(out, "requests", COUNTER, NULL,
         "Requests that are over, by the upstream that they went to (or direct, blocked, exeat for its own "
         "pages), "
         "by what they were let in with, and by the status that the client was told.");
    for (size_t i = 0; i < r->sums.n; i++) {
        const struct sums_row *row = &r->sums.rows[i];
        for (size_t k = 0; k < SUMS_CLASSES; k++)
            if (row->requests[k])
                sample(out, "requests", COUNTER,
                       (const char *const[]){"route", *row->route ? row->route : "none", "scheme",
                                             *row->scheme ? row->scheme : "none", "status", classes[k], NULL},
                       row->requests[k]);
    }
}

/* --- gateways --- */

static void write_gates(const struct relay *r, struct buf *out)
{
    head(out, "gateway_clients", GAUGE, NULL, "Connections and tunnels of a gateway's clients at present.");
    for (const struct list *it = r->gates.all.next; it != &r->gates.all; it = it->next) {
        const struct gate *g = list_entry(it, struct gate, link);
        sample(out, "gateway_clients", GAUGE, (const char *const[]){"gateway", g->name, NULL}, g->connected);
    }
    head(out, "gateway_requests", COUNTER, NULL,
         "Requests at a gateway, by what it said: accepted, challenged (asked who they are), refused (wrong "
         "credentials), broken (malformed ones), failed (nobody could tell), limited.");
    for (const struct list *it = r->gates.all.next; it != &r->gates.all; it = it->next) {
        const struct gate *g = list_entry(it, struct gate, link);
        const struct {
            const char *outcome;
            uint64_t number;
        } rows[] = {{"accepted", g->accepted}, {"challenged", g->challenged}, {"refused", g->refused},
                    {"broken", g->broken},     {"failed", g->failed},         {"limited", g->limited}};
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            sample(out, "gateway_requests", COUNTER,
                   (const char *const[]){"gateway", g->name, "outcome", rows[i].outcome, NULL},
                   rows[i].number);
    }
}

/* --- proxies --- */

static void write_pools(struct hop **hops, size_t n, struct buf *out)
{
    head(out, "proxy_connections", GAUGE, NULL,
         "Connections to a proxy at present: busy with a request, idle, spare (made ready ahead of need).");
    for (size_t i = 0; i < n; i++) {
        struct pool_figures f = pool_figures(hops[i]);
        const struct {
            const char *state;
            size_t count;
        } rows[] = {{"busy", f.busy}, {"idle", f.idle}, {"spare", f.spare}};
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
            sample(out, "proxy_connections", GAUGE,
                   (const char *const[]){"upstream", hops[i]->upstream, "proxy", hops[i]->name, "state",
                                         rows[k].state, NULL},
                   rows[k].count);
    }
}

/* One figure of each proxy. */
static void write_each(const struct relay *r, struct hop **hops, size_t n, const char *name, const char *help,
                       uint64_t (*figure)(const struct relay *r, const struct hop *h), struct buf *out)
{
    head(out, name, GAUGE, NULL, help);
    for (size_t i = 0; i < n; i++)
        sample(out, name, GAUGE,
               (const char *const[]){"upstream", hops[i]->upstream, "proxy", hops[i]->name, NULL},
               figure(r, hops[i]));
}

static uint64_t waiting(const struct relay *r, const struct hop *h)
{
    (void)r;
    return pool_figures(h).waiting;
}

static uint64_t users(const struct relay *r, const struct hop *h)
{
    (void)r;
    return hop_users(h);
}

static uint64_t asleep(const struct relay *r, const struct hop *h)
{
    return hop_asleep(h, loop_now(r->out->loop));
}

static void write_detours(const struct relay *r, struct buf *out)
{
    size_t n;
    struct way *ways = route_table_ways(r->routes, &n);
    head(out, "detour", GAUGE, NULL,
         "1: no proxy of the upstream can be reached, and its requests go direct at present.");
    for (size_t i = 0; i < n; i++)
        sample(out, "detour", GAUGE, (const char *const[]){"upstream", ways[i].hops[0]->upstream, NULL},
               ways[i].detour);
}

void metrics_write(const struct relay *r, struct buf *out)
{
    const struct counters *c = &r->out->counters;
    size_t n;
    struct hop **hops = route_table_proxies(r->routes, &n);
    buf_add_str(out, "# TYPE exeat info\n# HELP exeat The running agent.\nexeat_info{version=\"" EXEAT_VERSION
                     "\"} 1\n");
    write_numbers(r, out);
    write_requests(r, out);
    if (!list_empty(&r->gates.all))
        write_gates(r, out);
    write_pair(out, "transferred_bytes", "bytes", "Content and bytes of tunnels, without heads.", "direction",
               (const char *const[]){"up", "down"}, (const uint64_t[]){c->bytes_up, c->bytes_down});
    write_pair(out, "log_lines_lost", NULL, "Lines that could not be written.", "log",
               (const char *const[]){"requests", "events"},
               (const uint64_t[]){sink_lost(r->log.sink), log_lost()});
    write_pools(hops, n, out);
    write_each(r, hops, n, "proxy_waiting", "Requests that wait for a connection to a proxy at present.",
               waiting, out);
    write_each(r, hops, n, "proxy_users",
               "Users of gateways who have connections of their own to a proxy at present.", users, out);
    write_each(r, hops, n, "proxy_asleep", "1: the proxy could not be reached, and others are tried first.",
               asleep, out);
    write_detours(r, out);
    buf_add_str(out, "# EOF\n");
}
