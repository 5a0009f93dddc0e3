/*
 * What the control socket may ask: status, metrics, listening, route, reload, stop, watch, log. Status asks the keyholder about each upstream in turn, so its answer comes later.
 */
#include <stdlib.h>
#include <unistd.h>

#include "agent.h"
#include "base/log.h"
#include "relay/metrics.h"
#include "upstream/pool.h"

struct status_query {
    struct list link; /* in agent->queries */
    struct agent *agent;
    struct control_call *asker;
    struct config *config; /* a reference: a reload in between must not change the list */
    uint64_t state;        /* as it was when this began */
    struct keys_call call;
    json_t *upstreams;
    size_t at;
};

static json_t *text(struct span s)
{
    json_t *value = json_stringn(s.p ? s.p : "", s.n);
    return value ? value : json_string("(not UTF-8)");
}

static json_t *proxies_of(struct agent *a, const char *upstream)
{
    size_t n;
    struct hop **hops = route_table_proxies(a->routes, &n);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        if (strcmp(hops[i]->upstream, upstream) != 0)
            continue;
        struct pool_figures f = pool_figures(hops[i]);
        const char *state = hops[i]->failures ? "cannot be reached"
                            : !hops[i]->known ? "not used yet"
                            : hops[i]->asks   ? "asks for authentication"
                                              : "has not asked";
        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "proxy",
                                              hops[i]->name, "idle", (json_int_t)f.idle, "spare",
                                              (json_int_t)f.spare, "busy", (json_int_t)f.busy, "waiting",
                                              (json_int_t)f.waiting, "users", (json_int_t)hop_users(hops[i]),
                                              "idle_limit_ms", (json_int_t)f.idle_limit_ms, "state", state));
    }
    return list;
}

static bool all_failed(const struct way *way)
{
    for (size_t i = 0; i < way->n; i++)
        if (!way->hops[i]->failures)
            return false;
    return way->n > 0;
}

/* "direct" and "asleep": none of its proxies could be reached; requests go direct, or try again. */
static const char *mode_of(const struct agent *a, const char *upstream)
{
    size_t n;
    struct way *ways = route_table_ways(a->routes, &n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(ways[i].hops[0]->upstream, upstream) == 0)
            return ways[i].detour ? "direct" : all_failed(&ways[i]) ? "asleep" : "proxy";
    return "proxy";
}

static json_t *counters_of(const struct counters *c)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"requests", c->requests},     {"tunnels", c->tunnels},       {"challenges", c->challenges},
        {"handshakes", c->handshakes}, {"refusals", c->refusals},     {"connections", c->connections},
        {"bytes_up", c->bytes_up},     {"bytes_down", c->bytes_down},
    };
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        json_object_set_new(object, rows[i].name, json_integer((json_int_t)rows[i].value));
    return object;
}

/* `forward` NULL: any of that way. */
static json_t *listening(const struct agent *a, const struct entrance *entrance, const char *forward)
{
    json_t *list = json_array();
    for (size_t i = 0; i < a->doors.n; i++) {
        const struct door *door = a->doors.list[i];
        if (door->entrance == entrance && (!forward || strcmp(door->to.fixed->name, forward) == 0))
            json_array_append_new(list, json_string(listener_name(door->listener)));
    }
    return list;
}

static json_t *forwards(const struct agent *a)
{
    json_t *list = json_array();
    for (size_t i = 0; i < a->config->n_forwards; i++) {
        const struct fixed *f = doors_fixed(&a->doors, a->config->forwards[i].name);
        json_t *one = json_pack("{s:s, s:o, s:s, s:I, s:I}", "name", f->name, "listening",
                                listening(a, &entrance_fixed, f->name), "target", f->target, "opened",
                                (json_int_t)f->opened, "failed", (json_int_t)f->failed);
        if (f->why) {
            json_object_set_new(one, "last_failure", text(span_str(f->why)));
            json_object_set_new(one, "last_failure_ago",
                                json_integer((json_int_t)((loop_now(a->loop) - f->failed_at) / 1000)));
        }
        json_array_append_new(list, one);
    }
    return list;
}

/* The clients that may come from beyond this machine, as the configuration has them. */
static json_t *guests(const struct agent *a)
{
    json_t *list = json_array();
    for (size_t i = 0; i < a->config->n_clients; i++) {
        const char *name = a->config->clients[i].name;
        const struct tally *t = guests_tally(&a->relay.guests, name);
        json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "name", name, "connected",
                                              (json_int_t)(t ? t->connected : 0), "requests",
                                              (json_int_t)(t ? t->requests : 0)));
    }
    return list;
}

/* The gateways that are open. */
static json_t *gateways(const struct agent *a)
{
    json_t *list = json_array();
    for (size_t i = 0; i < a->config->n_gateways; i++) {
        const struct gate *g = doors_gate(&a->doors, a->config->gateways[i].name);
        if (!g)
            continue;
        json_t *at = json_array();
        for (size_t k = 0; k < a->doors.n; k++) {
            const struct door *door = a->doors.list[k];
            if (door->to.gate == g)
                json_array_append_new(
                    at, json_sprintf("%s%s", door->to.tls ? "https://" : "", listener_name(door->listener)));
        }
        json_array_append_new(list,
                              json_pack("{s:s, s:o, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "name", g->name,
                                        "listening", at, "per_user",
                                        a->config->gateways[i].identity == GATEWAY_IDENTITY_PER_USER,
                                        "connected", (json_int_t)g->connected, "accepted",
                                        (json_int_t)g->accepted, "challenged", (json_int_t)g->challenged,
                                        "refused", (json_int_t)g->refused, "broken", (json_int_t)g->broken,
                                        "failed", (json_int_t)g->failed, "limited", (json_int_t)g->limited));
    }
    return list;
}

static json_t *confined(const struct agent *a)
{
    struct buf words = {0};
    sandbox_describe(&a->sandbox, &words);
    json_t *value = text(buf_span(&words));
    buf_free(&words);
    return value;
}

static void release(struct status_query *q)
{
    list_remove(&q->link);
    config_unref(q->config);
    free(q);
}

static void finish_status(struct status_query *q)
{
    struct agent *a = q->agent;
    json_t *answer = json_pack(
        "{s:s, s:I, s:I, s:s?, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o}", "version", EXEAT_VERSION, "pid",
        (json_int_t)getpid(), "uptime", (json_int_t)((loop_now(a->loop) - a->started) / 1000), "config",
        a->config->file, "listening", listening(a, &entrance_http, NULL), "socks",
        listening(a, &entrance_socks, NULL), "metrics", listening(a, &entrance_metrics, NULL), "forwards",
        forwards(a), "confined", confined(a), "upstreams", q->upstreams, "clients",
        (json_int_t)a->relay.clients_open, "tunnels_open", (json_int_t)a->relay.tunnels_open, "counters",
        counters_of(&a->out.counters));
    json_object_set_new(answer, "guests", guests(a));
    json_object_set_new(answer, "gateways", gateways(a));
    json_object_set_new(answer, "state", json_integer((json_int_t)q->state));
    agent_state_describe(a, answer);
    json_object_set_new(answer, "guests_refused", json_integer((json_int_t)a->relay.guests.refused));
    json_t *pac = agent_pac_status(a);
    if (pac)
        json_object_set_new(answer, "pac", pac);
    control_answer(q->asker, answer);
    release(q);
}

void agent_drop_queries(struct agent *a)
{
    while (!list_empty(&a->queries)) {
        struct status_query *q = list_entry(a->queries.next, struct status_query, link);
        keys_call_cancel(&q->call);
        control_refuse(q->asker, "the agent is stopping", "");
        json_decref(q->upstreams);
        release(q);
    }
}

static void ask_next(struct status_query *q);

/* What a program that shows it wants to know without reading sentences. */
static void add_for_people(json_t *one, const struct keys_msg *m)
{
    bool problem = m->verdict != KEYS_OK || m->flags & KEYS_PROBLEM;
    bool login = m->flags & KEYS_LOGIN_HELPS;
    json_object_set_new(one, "problem", json_boolean(problem));
    json_object_set_new(one, "login_helps", json_boolean(login && problem));
    if (m->flags & KEYS_RENEW_HELPS)
        json_object_set_new(one, "renew", json_string(login ? "login" : "kinit"));
    json_object_set_new(one, "ticket_until", json_integer((json_int_t)m->until));
}

static void one_answered(void *owner, const struct keys_msg *m)
{
    struct status_query *q = owner;
    const char *name = q->config->upstreams[q->at].name;
    json_array_append_new(q->upstreams,
                          json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:b, s:I}", "name", name,
                                    "mode", mode_of(q->agent, name), "proxies", proxies_of(q->agent, name),
                                    "identity", text(m->identity), "scheme", text(m->scheme), "state",
                                    text(m->why), "remedy", text(m->remedy), "generation",
                                    (json_int_t)m->generation, "alarm", (int)(m->flags & KEYS_ALARM ? 1 : 0),
                                    "held", (json_int_t)holds_count(&q->agent->relay, name)));
    add_for_people(json_array_get(q->upstreams, q->at), m);
    q->at++;
    ask_next(q);
}

static void ask_next(struct status_query *q)
{
    if (q->at == q->config->n_upstreams) {
        finish_status(q);
        return;
    }
    struct keys_msg m = {.type = KEYS_STATUS, .upstream = span_str(q->config->upstreams[q->at].name)};
    keys_call_start(q->agent->out.keys, &q->call, &m, one_answered, q);
}

static void status(void *owner, struct control_call *call, json_t *question)
{
    struct agent *a = owner;
    struct status_query *q = mem_zero(sizeof *q);
    (void)question;
    *q = (struct status_query){.agent = a,
                               .asker = call,
                               .config = config_ref(a->config),
                               .state = a->state.number,
                               .upstreams = json_array()};
    list_push_back(&a->queries, &q->link);
    ask_next(q);
}

/* What other programs may be told about whom they may reach without us, and who may use us. */
static void add_admission(json_t *answer, const struct config *c)
{
    json_t *direct = json_array(), *users = json_array();
    for (size_t i = 0; i < c->n_no_proxy; i++)
        json_array_append_new(direct, text(span_str(c->no_proxy[i])));
    for (size_t i = 0; i < c->n_allow_uids; i++)
        json_array_append_new(users, text(span_str(c->allow_uids[i].text)));
    json_object_set_new(answer, "no_proxy", direct);
    json_object_set_new(answer, "allow_uids", users);
    json_object_set_new(answer, "allow_any", json_boolean(c->allow_any));
}

/* For "exeat connect", "env" and "apps", which have no time to wait for the keyholder. */
static void doors(void *owner, struct control_call *call, json_t *question)
{
    struct agent *a = owner;
    (void)question;
    json_t *answer = json_pack("{s:o, s:o}", "listening", listening(a, &entrance_http, NULL), "socks",
                               listening(a, &entrance_socks, NULL));
    add_admission(answer, a->config);
    control_answer(call, answer);
}

static void metrics(void *owner, struct control_call *call, json_t *question)
{
    struct agent *a = owner;
    struct buf out = {0};
    (void)question;
    metrics_write(&a->relay, &out);
    control_answer(call, json_pack("{s:o}", "text", text(buf_span(&out))));
    buf_free(&out);
}

static json_t *lines(struct span all)
{
    json_t *list = json_array();
    while (all.n)
        json_array_append_new(list, text(span_cut(&all, '\n')));
    return list;
}

static void reload(void *owner, struct control_call *call, json_t *question)
{
    struct agent *a = owner;
    struct err e;
    struct buf changes = {0};
    (void)question;
    if (agent_reload(a, &changes, &e))
        control_answer(
            call, json_pack("{s:s?, s:o}", "config", a->config->file, "changes", lines(buf_span(&changes))));
    else
        control_refuse(call, e.text, "nothing was changed; mend the file and try again");
    buf_free(&changes);
}

static void stop(void *owner, struct control_call *call, json_t *question)
{
    struct agent *a = owner;
    (void)question;
    control_answer(call, json_pack("{s:I, s:I}", "pid", (json_int_t)getpid(), "drain",
                                   (json_int_t)(a->drain.going ? 0 : a->config->drain)));
    agent_stop(a, "exeat stop");
}

static void watch(void *owner, struct control_call *call, json_t *question)
{
    struct agent *a = owner;
    (void)question;
    control_watch(call, json_pack("{s:s}", "version", EXEAT_VERSION));
    agent_watch(a);
}

/* Where our lines go, for "exeat log": whether standard error is the journal's (sd_journal(3): it is named in JOURNAL_STREAM), and the file for requests. */
static void log_places(void *owner, struct control_call *call, json_t *question)
{
    struct agent *a = owner;
    (void)question;
    control_answer(call, json_pack("{s:I, s:b, s:s?}", "pid", (json_int_t)getpid(), "journal",
                                   (int)log_is_journal(), "requests",
                                   a->config->log_requests ? a->config->log_file : NULL));
}

const struct control_verb agent_verbs[] = {
    {"status", status},
    {"listening", doors},
    {"route", agent_explain_route},
    {"reload", reload},
    {"stop", stop},
    {"metrics", metrics},
    {"watch", watch},
    {"log", log_places},
    {"state", agent_state_verb},
    {"proxy", agent_proxy_verb},
    {NULL, NULL},
};
