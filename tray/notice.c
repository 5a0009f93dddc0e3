/*
 * One record per topic. A cause is a text; the empty one ("nothing to tell") is never told and does not make the old one new: a password that is refused,
 * looks fine for a moment, and is refused for the same reason rings once.
 */
#include "notice.h"

#include <stdlib.h>

#include "base/list.h"

#define TOPICS_MOST 64

enum topic_kind { TOPIC_PASSWORD, TOPIC_ALARM, TOPIC_TICKET, TOPIC_WAY, TOPIC_AGENT };

struct topic {
    struct list link;
    enum topic_kind kind;
    char *upstream;
    char *cause, *told; /* as it is, as it was told last; "" is nothing */
    char *text;
    uint64_t told_at; /* 0: never */
};

struct notices {
    struct list topics;
    size_t n;
};

struct notices *notices_new(void)
{
    struct notices *n = mem_zero(sizeof *n);
    list_init(&n->topics);
    return n;
}

static void drop(struct notices *n, struct topic *t)
{
    list_remove(&t->link);
    n->n--;
    free(t->upstream);
    free(t->cause);
    free(t->told);
    free(t->text);
    free(t);
}

void notices_free(struct notices *n)
{
    while (!list_empty(&n->topics))
        drop(n, list_entry(n->topics.next, struct topic, link));
    free(n);
}

/* NULL: too many. */
static struct topic *topic_of(struct notices *n, enum topic_kind kind, const char *upstream)
{
    struct list *it, *safe;
    list_each(it, safe, &n->topics)
    {
        struct topic *t = list_entry(it, struct topic, link);
        if (t->kind == kind && strcmp(t->upstream, upstream) == 0)
            return t;
    }
    if (n->n == TOPICS_MOST)
        return NULL;
    struct topic *t = mem_zero(sizeof *t);
    *t = (struct topic){.kind = kind, .upstream = mem_strdup(upstream)};
    t->cause = mem_strdup("");
    t->told = mem_strdup("");
    t->text = mem_strdup("");
    list_push_back(&n->topics, &t->link);
    n->n++;
    return t;
}

static void now_is(struct notices *n, enum topic_kind kind, const char *upstream, const char *cause,
                   const char *text)
{
    struct topic *t = topic_of(n, kind, upstream);
    if (!t)
        return;
    free(t->cause);
    free(t->text);
    t->cause = mem_strdup(cause);
    t->text = mem_strdup(text);
}

/* That it goes by proxy is worth telling only to who was told that it does not. */
static void look_at_way(struct notices *n, const struct model_upstream *u)
{
    struct topic *t = topic_of(n, TOPIC_WAY, u->name);
    bool was_told = t && *t->told;
    now_is(n, TOPIC_WAY, u->name,
           u->mode == MODE_DIRECT  ? "direct"
           : u->mode == MODE_PROXY ? was_told ? "proxy" : ""
                                   : "",
           "");
}

static void look_at(struct notices *n, const struct model_upstream *u, time_t wall)
{
    struct buf words = {0}, ticket = {0};
    buf_addf(&words, "%s. %s", u->state, u->remedy);
    bool ends = u->renew != RENEW_NOT && u->ticket_until > wall && u->ticket_until - wall <= NOTICE_TICKET_S;
    if (ends)
        buf_addf(&ticket, "%lld", (long long)u->ticket_until);
    now_is(n, TOPIC_ALARM, u->name, u->alarm ? u->state : "", buf_cstr(&words));
    now_is(n, TOPIC_PASSWORD, u->name, u->login_helps && !u->alarm ? u->state : "", buf_cstr(&words));
    now_is(n, TOPIC_TICKET, u->name, ends ? buf_cstr(&ticket) : "", u->identity);
    look_at_way(n, u);
    buf_free(&words);
    buf_free(&ticket);
}

void notices_look(struct notices *n, const struct model *m, time_t wall)
{
    now_is(n, TOPIC_AGENT, "", m->agent == AGENT_MISSING && m->why ? m->why : "", m->why ? m->why : "");
    for (size_t i = 0; i < m->n_upstreams && i < MODEL_UPSTREAMS_SHOWN; i++)
        look_at(n, &m->upstreams[i], wall);
}

/* Where tickets live for minutes, there is always one that ends. */
static uint64_t pause_of(const struct topic *t)
{
    return t->kind == TOPIC_TICKET ? NOTICE_TICKET_S : NOTICE_PAUSE_S;
}

/* Is there something new to tell? *when: the earliest time for that. */
static bool has_news(const struct topic *t, uint64_t *when)
{
    *when = t->told_at ? t->told_at + pause_of(t) : 0;
    return *t->cause && strcmp(t->cause, t->told) != 0;
}

static void put_into_words(const struct topic *t, struct notice *out)
{
    const char *name = t->upstream;
    *out = (struct notice){.upstream = name};
    switch (t->kind) {
    case TOPIC_PASSWORD:
        out->kind = NOTICE_PASSWORD;
        buf_addf(&out->title, "%s needs your password", name);
        buf_add_str(&out->text, t->text);
        break;
    case TOPIC_ALARM:
        out->kind = NOTICE_ALARM;
        buf_addf(&out->title, "%s offers a weaker scheme than before", name);
        buf_add_str(&out->text, t->text);
        break;
    case TOPIC_TICKET:
        out->kind = NOTICE_TICKET;
        buf_addf(&out->title, "The Kerberos ticket for %s ends in less than %d minutes", name,
                 NOTICE_TICKET_S / 60);
        buf_add_str(&out->text, t->text);
        break;
    case TOPIC_WAY:
        out->kind = strcmp(t->cause, "direct") == 0 ? NOTICE_DIRECT : NOTICE_BACK;
        buf_addf(&out->title, out->kind == NOTICE_DIRECT ? "%s: now direct" : "%s: back on the proxy", name);
        buf_add_str(&out->text, out->kind == NOTICE_DIRECT
                                    ? "No proxy can be reached; requests go without one."
                                    : "A proxy answers again; requests go through it.");
        break;
    case TOPIC_AGENT:
        out->kind = NOTICE_AGENT;
        buf_add_str(&out->title, "exeat is not running");
        buf_add_str(&out->text, t->text);
        break;
    }
}

bool notices_take(struct notices *n, uint64_t now, struct notice *out)
{
    struct list *it, *safe;
    list_each(it, safe, &n->topics)
    {
        struct topic *t = list_entry(it, struct topic, link);
        uint64_t when;
        if (!has_news(t, &when) || when > now)
            continue;
        put_into_words(t, out);
        free(t->told);
        t->told = mem_strdup(t->cause);
        t->told_at = now ? now : 1;
        return true;
    }
    return false;
}

void notices_untold(struct notices *n, enum notice_kind kind, const char *upstream, bool at_once)
{
    static const enum topic_kind topics[] = {
        [NOTICE_PASSWORD] = TOPIC_PASSWORD, [NOTICE_ALARM] = TOPIC_ALARM, [NOTICE_TICKET] = TOPIC_TICKET,
        [NOTICE_DIRECT] = TOPIC_WAY,        [NOTICE_BACK] = TOPIC_WAY,    [NOTICE_AGENT] = TOPIC_AGENT,
    };
    struct topic *t = topic_of(n, topics[kind], upstream);
    if (!t)
        return;
    free(t->told);
    t->told = mem_strdup("");
    if (at_once)
        t->told_at = 0;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t notices_wait(const struct notices *n, const struct model *m, time_t wall, uint64_t now)
{
    uint64_t wait = NOTICE_NEVER, when;
    struct list *it, *safe;
    list_each(it, safe, &n->topics)
    {
        const struct topic *t = list_entry(it, struct topic, link);
        if (has_news(t, &when))
            wait = sooner(wait, when > now ? when - now : 1);
    }
    for (size_t i = 0; i < m->n_upstreams; i++) {
        const struct model_upstream *u = &m->upstreams[i];
        time_t left = u->ticket_until - NOTICE_TICKET_S - wall;
        if (u->renew != RENEW_NOT && u->ticket_until && left > 0)
            wait = sooner(wait, (uint64_t)left);
    }
    return wait;
}
