/*
 * The configuration, and with `pac = system` the desktop's settings, decide on a place; a feed looks after it. Where the settings change, so
 * does the feed. Whatever names ourselves counts as nothing: a desktop that has been pointed at this agent, as it should be, says nothing about
 * the way out.
 */
#include "source/pac_source.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/url.h"
#include "config/kinds.h"
#include "source/feed.h"
#include "source/ground.h"

#define SETTLE_MS 10000 /* no request waits longer for what may never come */

struct pac_source {
    struct pac_ground *ground;
    struct loop *loop;
    struct config *config;
    const struct pac_source_events *events;
    void *owner;
    enum desktop_kind kind;
    struct desktop *desktop; /* NULL: not asked */
    struct feed *feed;       /* NULL: there is no place */
    struct feed *old;        /* of another place, to be freed in a moment: it may be calling us */
    struct later bury;
    enum pac_source_has has;
    char *asked, *error;   /* error: of the settings; "" */
    bool waiting, gave_up; /* gave_up: requests have waited for what is looked for now, in vain */
    struct deadline settle;
};

/* --- requests that wait --- */

static bool is_ready(struct pac_source *s)
{
    return (!s->desktop || desktop_want(s->desktop)) && (!s->feed || feed_want(s->feed));
}

static void let_go(struct pac_source *s)
{
    s->waiting = false;
    deadline_stop(&s->settle);
    s->events->settled(s->owner);
}

static void give_up(void *owner)
{
    struct pac_source *s = owner;
    s->gave_up = true;
    let_go(s);
}

static void advance(void *owner)
{
    struct pac_source *s = owner;
    bool ready = is_ready(s);
    s->gave_up = s->gave_up && !ready;
    if (s->waiting && ready)
        let_go(s);
}

bool pac_source_want(struct pac_source *s)
{
    if (!s->waiting && !is_ready(s) && !s->gave_up) {
        s->waiting = true;
        deadline_start(s->loop, &s->settle, SETTLE_MS, give_up, s);
    }
    return !s->waiting;
}

/* --- telling --- */

static void set_error(struct pac_source *s, struct span why)
{
    free(s->error);
    s->error = span_dup(why);
}

static void script(void *owner, struct span name, struct span bytes, const char *charset)
{
    struct pac_source *s = owner;
    log_info(NULL, "PAC script %.*s, %zu bytes", SPAN_ARG(name), bytes.n);
    s->has = PAC_SOURCE_SCRIPT;
    s->events->script(s->owner, name, bytes, charset);
}

static void none(void *owner, struct span why)
{
    struct pac_source *s = owner;
    log_info(NULL, "there is no PAC script: %.*s", SPAN_ARG(why));
    s->has = PAC_SOURCE_NONE;
    s->events->none(s->owner, why);
}

static void failed(void *owner, struct span why)
{
    struct pac_source *s = owner;
    log_warning(NULL, "PAC script: %.*s%s", SPAN_ARG(why),
                s->has == PAC_SOURCE_SCRIPT ? "; the one that there is stays" : "");
    s->events->failed(s->owner, why);
}

/* --- the place --- */

static void bury(void *owner)
{
    struct pac_source *s = owner;
    feed_free(s->old);
    s->old = NULL;
}

static void drop_feed(struct pac_source *s)
{
    if (s->old)
        bury(s);
    s->old = s->feed;
    s->feed = NULL;
    if (s->old)
        later_start(s->loop, &s->bury, bury, s);
}

static void set_place(struct pac_source *s, enum load_kind kind, const char *place)
{
    static const struct feed_events events = {script, none, failed, advance};
    set_error(s, SPAN(""));
    if (s->feed && feed_is(s->feed, kind, place))
        return;
    drop_feed(s);
    struct feed_place where = {
        .kind = kind, .place = place, .folder = s->ground->folder, .resolv_conf = s->ground->resolv_conf};
    s->feed = feed_new(s->loop, &where, s->config, &events, s);
}

static void have_none(struct pac_source *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void have_none(struct pac_source *s, const char *format, ...)
{
    struct err why;
    va_list list;
    va_start(list, format);
    vsnprintf(why.text, sizeof why.text, format, list);
    va_end(list);
    drop_feed(s);
    set_error(s, span_str(why.text));
    none(s, span_str(why.text));
}

/* --- what the settings say --- */

static struct pac_manual_proxy other_than_us(const struct pac_source *s, const struct settings_proxy *p,
                                             bool *ours)
{
    if (!p->host)
        return (struct pac_manual_proxy){0};
    if (load_is_ours(s->config, span_str(p->host), p->port)) {
        *ours = true;
        return (struct pac_manual_proxy){0};
    }
    return (struct pac_manual_proxy){.host = p->host, .port = p->port, .tls = p->tls};
}

static void follow_manual(struct pac_source *s, const struct settings *set)
{
    bool ours = false;
    const char *from = desktop_name(s->kind);
    struct pac_manual m = {.http = other_than_us(s, &set->http, &ours),
                           .https = other_than_us(s, &set->https, &ours),
                           .socks = other_than_us(s, &set->socks, &ours),
                           .ignore = (const char *const *)set->ignore,
                           .n_ignore = set->n_ignore,
                           .ignore_all_else = set->ignore_all_else,
                           .from = from};
    if (!m.http.host && !m.https.host && !m.socks.host) {
        have_none(s,
                  ours ? "%s point at this agent itself, which says nothing about the way out"
                       : "%s say that there are proxies, but name none",
                  from);
        return;
    }
    drop_feed(s);
    set_error(s, SPAN(""));
    s->has = PAC_SOURCE_MANUAL;
    log_info(NULL, "%s name proxies", from);
    s->events->manual(s->owner, &m);
}

static void follow_script(struct pac_source *s, const char *place)
{
    struct span text = span_str(place);
    const char *from = desktop_name(s->kind), *wrong = NULL;
    struct url url;
    struct err e = {0};
    if (url_has_scheme(text, "file") || (text.n && text.p[0] == '/')) {
        char *path = text.p[0] == '/' ? mem_strdup(place) : path_of_file_url(text, &e);
        if (path)
            set_place(s, LOAD_FILE, path);
        wrong = path ? NULL : "names no file of this machine";
        free(path);
    } else {
        wrong = url_read(&url, text);
        if (!wrong && load_is_ours(s->config, url.host, url.port)) {
            have_none(s, "%s point at this agent itself, which says nothing about the way out", from);
            return;
        }
        if (!wrong)
            set_place(s, LOAD_URL, place);
    }
    if (!wrong)
        return;
    drop_feed(s);
    err_set(&e, ERR_CONFIG, "%s name a PAC script, but its URL %s", from, wrong);
    set_error(s, span_str(e.text));
    failed(s, span_str(e.text));
}

static void settings_changed(void *owner, const struct settings *set)
{
    struct pac_source *s = owner;
    const char *from = desktop_name(s->kind);
    if (set->say == SETTINGS_PAC)
        follow_script(s, set->pac);
    else if (set->say == SETTINGS_MANUAL)
        follow_manual(s, set);
    else if (set->say == SETTINGS_NONE)
        have_none(s, "%s name no proxy", from);
    else if (s->config->wpad == WPAD_DNS)
        set_place(s, LOAD_WPAD, NULL);
    else
        have_none(s,
                  "%s want the PAC script to be found by WPAD, which is off; if you trust your networks' "
                  "DNS, write "
                  "wpad = dns",
                  from);
}

static void settings_failed(void *owner, struct span why)
{
    struct pac_source *s = owner;
    set_error(s, why);
    failed(s, why);
}

/* --- up and down --- */

static bool wants_any(const struct config *c)
{
    return c->pac != PAC_FROM_NOWHERE || c->wpad != WPAD_NO;
}

static char *text_of(const struct config *c)
{
    struct buf text = {0};
    if (c->pac == PAC_FROM_URL)
        url_shown(span_str(c->pac_place), &text);
    else
        buf_add_str(&text, c->pac == PAC_FROM_FILE     ? c->pac_place
                           : c->pac == PAC_FROM_SYSTEM ? "system"
                                                       : "wpad = dns");
    char *result = mem_strdup(buf_cstr(&text));
    buf_free(&text);
    return result;
}

struct pac_source *pac_source_new(struct pac_ground *g, struct config *c,
                                  const struct pac_source_events *events, void *owner)
{
    static const struct desktop_events settings_events = {settings_changed, settings_failed, advance};
    if (!wants_any(c))
        return NULL;
    struct pac_source *s = mem_zero(sizeof *s);
    *s = (struct pac_source){.ground = g,
                             .loop = g->loop,
                             .config = config_ref(c),
                             .events = events,
                             .owner = owner,
                             .asked = text_of(c),
                             .error = mem_strdup("")};
    if (c->wpad == WPAD_DNS)
        log_warning(
            NULL,
            "wpad = dns: whoever answers for wpad.DOMAIN in the network's DNS says which way requests go");
    if (c->pac == PAC_FROM_SYSTEM) {
        s->kind = desktop_kind_here();
        s->desktop = desktop_new(s->loop, s->kind, g->starter, &settings_events, s);
    } else {
        set_place(s,
                  c->pac == PAC_FROM_URL    ? LOAD_URL
                  : c->pac == PAC_FROM_FILE ? LOAD_FILE
                                            : LOAD_WPAD,
                  c->pac_place);
    }
    return s;
}

void pac_source_free(struct pac_source *s)
{
    if (!s)
        return;
    desktop_free(s->desktop);
    feed_free(s->feed);
    feed_free(s->old);
    later_cancel(&s->bury);
    deadline_stop(&s->settle);
    config_unref(s->config);
    free(s->asked);
    free(s->error);
    free(s);
}

static bool same_doors(const struct config_address *a, size_t n_a, const struct config_address *b, size_t n_b)
{
    bool same = n_a == n_b;
    for (size_t i = 0; same && i < n_a; i++)
        same = strcmp(a[i].text, b[i].text) == 0;
    return same;
}

static bool same_place(const struct config *a, const struct config *b)
{
    if (a->pac != b->pac || a->wpad != b->wpad)
        return false;
    if (a->pac == PAC_FROM_SYSTEM && (!same_doors(a->listen, a->n_listen, b->listen, b->n_listen) ||
                                      !same_doors(a->socks, a->n_socks, b->socks, b->n_socks)))
        return false; /* whether the settings name ourselves is judged when they are read */
    return !a->pac_place || strcmp(a->pac_place, b->pac_place) == 0;
}

bool pac_source_adopt(struct pac_source *s, struct config *c)
{
    if (!same_place(s->config, c))
        return false;
    config_ref(c);
    config_unref(s->config);
    s->config = c;
    if (s->feed)
        feed_own(s->feed, c);
    pac_source_network_changed(s);
    return true;
}

void pac_source_network_changed(struct pac_source *s)
{
    s->gave_up = false;
    if (s->desktop)
        desktop_doubt(s->desktop);
    if (s->feed)
        feed_doubt(s->feed);
}

bool pac_source_judge(struct pac_source *s, bool good, struct span why)
{
    return s->feed && feed_judge(s->feed, good, why);
}

void pac_source_state(const struct pac_source *s, struct pac_source_state *out)
{
    *out = (struct pac_source_state){
        .has = s->has, .asked = s->asked, .found = "", .place = "", .etag = "", .error = s->error, .age = -1};
    if (s->feed)
        feed_state(s->feed, out);
    if (s->desktop)
        out->found = desktop_name(s->kind);
    else if (s->config->pac == PAC_FROM_NOWHERE)
        out->found = "WPAD";
    if (s->error[0])
        out->error = s->error;
}
