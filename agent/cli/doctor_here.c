/*
 * The steps on this side of the network: the agent, the configuration, the listeners and who else holds their ports.
 */
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/ask_agent.h"
#include "cli/doctor.h"
#include "cli/say.h"
#include "config/keys.h"

#define LISTEN_MS 3000

static const char start_it[] = "Start it with: exeat run (or: systemctl --user start exeat)";

static json_t *ask(struct control_link *l, const char *verb, struct err *e)
{
    json_t *question = json_pack("{s:s}", "verb", verb);
    json_t *answer = control_question(l, question, AGENT_PATIENCE_MS, e);
    json_decref(question);
    return answer;
}

static void describe_agent(const struct doctor *d, struct finding *f)
{
    const char *version = json_string_value(json_object_get(d->status, "version"));
    const char *when_off = json_string_value(json_object_get(d->status, "when_off"));
    finding_say(f, MARK_OK, "running, process %lld, version %s",
                (long long)json_integer_value(json_object_get(d->status, "pid")),
                version ? version : "unknown");
    if (!version || strcmp(version, EXEAT_VERSION) != 0) {
        f->mark = MARK_NOTE;
        buf_add_str(&f->evidence, "; this program is " EXEAT_VERSION);
        buf_add_str(&f->remedy,
                    "Start it anew, so that both are the same: exeat stop, then exeat run (or: systemctl "
                    "--user restart exeat)");
    }
    if (json_is_false(json_object_get(d->status, "on"))) {
        f->mark = MARK_NOTE;
        buf_addf(&f->evidence, "; it is switched off: requests %s",
                 when_off && strcmp(when_off, "refuse") == 0 ? "are refused" : "go past the proxies");
        buf_clear(&f->remedy);
        buf_add_str(&f->remedy, "Switch it on: exeat on");
    }
}

void walk_agent(struct doctor *d, struct finding *f)
{
    struct err e = {0};
    char *path = say_socket_path("control", &e);
    struct control_link *l = path ? control_open(path, AGENT_PATIENCE_MS, &e) : NULL;
    free(path);
    if (d->config_path) {
        finding_say(f, MARK_NOTE, "not asked: --config names a file of its own%s",
                    l ? " (an agent is running)" : "");
        control_close(l);
        return;
    }
    d->status = l ? ask(l, "status", &e) : NULL;
    if (!d->status) {
        control_close(l);
        if (e.code == ERR_GONE)
            finding_fail(f, EXIT_NO_AGENT, start_it, "no agent of yours is running");
        else
            finding_fail_err(f, &e, "If that stays so: exeat stop, then exeat run");
        return;
    }
    d->agent = l;
    describe_agent(d, f);
}

/* --- the configuration --- */

/* What an agent that was configured by its environment has: ours may be another one. */
static struct config *config_of_agent(const struct doctor *d, struct err *e)
{
    struct buf text = {0};
    json_t *upstream, *proxy;
    size_t i, k;
    json_array_foreach(json_object_get(d->status, "upstreams"), i, upstream)
    {
        const char *name = json_string_value(json_object_get(upstream, "name"));
        buf_addf(&text, "[upstream %s]\nproxy =", name ? name : "");
        json_array_foreach(json_object_get(upstream, "proxies"), k, proxy)
        {
            const char *place = json_string_value(json_object_get(proxy, "proxy"));
            buf_addf(&text, " http://%s", place ? place : "");
        }
        buf_add_str(&text, "\n");
    }
    struct config *c = config_load_text("the environment of the agent", buf_span(&text), e);
    buf_free(&text);
    return c;
}

static struct config *load(const struct doctor *d, struct err *e)
{
    const char *path = json_string_value(json_object_get(d->status, "config"));
    if (!d->status || path)
        return config_load(path ? path : d->config_path, e);
    return config_of_agent(d, e);
}

void walk_config(struct doctor *d, struct finding *f)
{
    struct err e = {0};
    d->config = load(d, &e);
    d->routes = d->config ? route_table_new(d->config, &e) : NULL;
    if (!d->routes) {
        e.code = ERR_CONFIG;
        finding_fail_err(f, &e,
                         d->agent ? "Mend the file, then: exeat reload" : "Mend it, then: exeat check");
        return;
    }
    size_t n = d->config->n_upstreams;
    finding_say(f, MARK_OK, "%s: %zu upstream%s", d->config->file ? d->config->file : "the environment", n,
                n == 1 ? "" : "s");
}

json_t *doctor_listeners(const struct doctor *d)
{
    if (d->status)
        return json_incref(json_object_get(d->status, "listening"));
    json_t *list = json_array();
    struct span usual = span_str(setting_find(section_find(SPAN("listen")), SPAN("http"))->fallback), word;
    while (!d->config && (word = span_word(&usual)).n)
        json_array_append_new(list, json_stringn(word.p, word.n));
    for (size_t i = 0; d->config && i < d->config->n_listen; i++) {
        const struct config_address *a = &d->config->listen[i];
        struct buf text = {0};
        if (a->path)
            buf_addf(&text, "unix:%s", a->path);
        else
            buf_addf(&text, strchr(a->host, ':') ? "[%s]:%u" : "%s:%u", a->host, a->port);
        json_array_append_new(list, json_string(buf_cstr(&text)));
        buf_free(&text);
    }
    return list;
}

/* Where clients from beyond this machine come in, a token would be asked of us too. */
static bool is_ours(const char *place)
{
    struct span text = span_str(place);
    return span_starts(text, SPAN("unix:")) || span_starts(text, SPAN("127.")) ||
           span_starts(text, SPAN("[::1]:")) || span_istarts(text, SPAN("localhost:"));
}

const char *doctor_our_listener(json_t *listeners)
{
    json_t *name;
    size_t i;
    json_array_foreach(listeners, i, name)
    {
        const char *place = json_string_value(name);
        if (place && is_ours(place))
            return place;
    }
    return NULL;
}

/* --- the listeners --- */

static void user_name(unsigned uid, char name[64])
{
    struct passwd *p = getpwuid(uid);
    if (p)
        snprintf(name, 64, "%s", p->pw_name);
    else
        snprintf(name, 64, "%u", uid);
}

static void blame(struct finding *f, const struct config_address *a, const struct port_owner *who)
{
    char user[64];
    struct buf remedy = {0};
    user_name(who->uid, user);
    bool exeat = strcmp(who->name, "exeat") == 0;
    bool other = who->uid != getuid();
    if (exeat && other) {
        finding_fail(f, EXIT_FAILED, "", "an agent of the user %s listens on %s (process %d)", user, a->text,
                     who->pid);
        buf_addf(
            &remedy,
            "Give yours another port: http = %s:%u in [listen]; or let that agent serve you: allow-uids.",
            a->host, a->port + 1);
    } else {
        if (who->known)
            finding_fail(f, EXIT_FAILED, "", "another program listens on %s: %s (process %d of %s)", a->text,
                         who->name, who->pid, user);
        else
            finding_fail(f, EXIT_FAILED, "", "another program listens on %s, of the user %s", a->text, user);
        buf_addf(&remedy, "Stop it, or give exeat another port: http = %s:%u in [listen]", a->host,
                 a->port + 1);
    }
    buf_add_span(&f->remedy, buf_span(&remedy));
    buf_free(&remedy);
}

static void look_at_ports(struct doctor *d, struct finding *f)
{
    for (size_t i = 0; i < d->config->n_listen; i++) {
        const struct config_address *a = &d->config->listen[i];
        struct port_owner who;
        if (a->path || a->port == 0)
            continue;
        port_owner_find(&who, a->host, a->port);
        if (who.found && d->config_path && who.uid == getuid() && strcmp(who.name, "exeat") == 0) {
            finding_say(f, MARK_NOTE, "your running agent has %s", a->text);
            return;
        }
        if (who.found) {
            blame(f, a, &who);
            return;
        }
    }
    const struct config_address *first = &d->config->listen[0];
    if (!first->path && first->port == 0)
        finding_say(f, MARK_OK, "an agent would take any free port");
    else
        finding_say(f, MARK_OK, "%s is free for an agent", first->text);
}

/* Asks for the page that the listener has for people. */
static bool ask_listener(const char *place, unsigned *status, struct err *e)
{
    struct line l;
    struct head h = {0};
    struct buf question = {0};
    bool local = strncmp(place, "unix:", 5) == 0;
    buf_addf(&question, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
             local ? "localhost" : place);
    bool good = line_dial(&l, place, LISTEN_MS, e) && line_send(&l, buf_span(&question), LISTEN_MS, e) &&
                line_head(&l, LISTEN_MS, &h, e);
    *status = h.status;
    head_free(&h);
    buf_free(&question);
    line_close(&l);
    return good;
}

static void try_listener(const char *place, struct finding *f)
{
    struct err e = {0};
    unsigned status;
    if (!ask_listener(place, &status, &e))
        finding_fail(f, EXIT_UNREACHABLE, "Look into the agent's log; exeat stop, then exeat run",
                     "the agent does not answer on %s: %s", place, e.text);
    else if (status == 403)
        finding_fail(f, EXIT_FAILED, "Name this user in allow-uids of [listen], then: exeat reload",
                     "the agent turns this user away on %s (403)", place);
}

void walk_listener(struct doctor *d, struct finding *f)
{
    if (!d->agent) {
        look_at_ports(d, f);
        return;
    }
    json_t *list = doctor_listeners(d), *name;
    size_t i;
    finding_say(f, MARK_OK, "the agent answers on");
    json_array_foreach(list, i, name)
    {
        const char *place = json_string_value(name) ? json_string_value(name) : "?";
        if (is_ours(place))
            try_listener(place, f);
        if (f->mark == MARK_BAD)
            break;
        buf_addf(&f->evidence, "%s %s%s", i ? "," : "", place,
                 is_ours(place) ? "" : " (not asked: a token is needed there)");
    }
    if (f->mark != MARK_BAD && !doctor_our_listener(list)) {
        finding_say(f, MARK_NOTE, "the agent has no listener for programs of this machine");
        buf_add_str(&f->remedy,
                    "If they are to use it: http = 127.0.0.1:3128 in [listen], then: exeat reload");
    }
    json_decref(list);
}
