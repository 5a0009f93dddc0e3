/*
 * The mirror. What comes from the agent is copied, cut to a length that a menu can show, and never trusted to be there. Pure but for the local time zone.
 */
#include "model.h"

#include <inttypes.h>
#include <stdlib.h>

#define TEXT_SHOWN 200 /* bytes of any one text */

/* --- taking --- */

/* A copy without control characters and not too long; cut between characters of UTF-8. */
static char *shown(const char *text)
{
    struct span whole = span_str(text ? text : ""), head = span_head(whole, TEXT_SHOWN);
    while (head.n < whole.n && head.n > 0 && ((unsigned char)whole.p[head.n] & 0xc0) == 0x80)
        head.n--;
    char *copy = span_dup(head);
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    return copy;
}

static char *text_of(json_t *object, const char *key)
{
    return shown(json_string_value(json_object_get(object, key)));
}

static uint64_t number_of(json_t *object, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(object, key));
    return n > 0 ? (uint64_t)n : 0;
}

static void forget_upstreams(struct model *m)
{
    for (size_t i = 0; i < m->n_upstreams; i++) {
        struct model_upstream *u = &m->upstreams[i];
        char *texts[] = {u->name, u->proxy, u->identity, u->scheme, u->state, u->remedy};
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            free(texts[k]);
    }
    free(m->upstreams);
    m->upstreams = NULL;
    m->n_upstreams = 0;
}

static enum model_renew renew_of(json_t *from)
{
    const char *how = json_string_value(json_object_get(from, "renew"));
    return !how                        ? RENEW_NOT
           : strcmp(how, "kinit") == 0 ? RENEW_KINIT
           : strcmp(how, "login") == 0 ? RENEW_LOGIN
                                       : RENEW_NOT;
}

static void take_upstream(struct model_upstream *u, json_t *from)
{
    char *mode = text_of(from, "mode");
    *u = (struct model_upstream){
        .name = text_of(from, "name"),
        .proxy = text_of(json_array_get(json_object_get(from, "proxies"), 0), "proxy"),
        .identity = text_of(from, "identity"),
        .scheme = text_of(from, "scheme"),
        .state = text_of(from, "state"),
        .remedy = text_of(from, "remedy"),
        .mode = strcmp(mode, "direct") == 0   ? MODE_DIRECT
                : strcmp(mode, "asleep") == 0 ? MODE_ASLEEP
                                              : MODE_PROXY,
        .problem = json_is_true(json_object_get(from, "problem")),
        .alarm = json_is_true(json_object_get(from, "alarm")),
        .login_helps = json_is_true(json_object_get(from, "login_helps")),
        .ticket_until = (time_t)number_of(from, "ticket_until"),
        .renew = renew_of(from),
    };
    free(mode);
}

static void set_text(char **at, char *fresh)
{
    free(*at);
    *at = fresh;
}

void model_take(struct model *m, json_t *status)
{
    json_t *list = json_object_get(status, "upstreams");
    size_t n = json_array_size(list);
    forget_upstreams(m);
    set_text(&m->why, NULL);
    m->agent = AGENT_HERE;
    m->state = json_integer_value(json_object_get(status, "state"));
    m->on = !json_is_false(json_object_get(status, "on"));
    char *when_off = text_of(status, "when_off");
    m->refuses = strcmp(when_off, "refuse") == 0;
    free(when_off);
    m->in_flight = number_of(status, "in_flight");
    m->tunnels = number_of(status, "tunnels_open");
    m->last_problem_at = (time_t)number_of(status, "last_problem_at");
    set_text(&m->last_problem, m->last_problem_at ? text_of(status, "last_problem") : NULL);
    m->upstreams = mem_zero((n + 1) * sizeof *m->upstreams);
    m->n_upstreams = n;
    for (size_t i = 0; i < n; i++)
        take_upstream(&m->upstreams[i], json_array_get(list, i));
}

void model_gone(struct model *m, enum model_agent how, const char *why)
{
    forget_upstreams(m);
    m->agent = how;
    m->in_flight = m->tunnels = 0;
    set_text(&m->why, mem_strdup(why));
}

void model_unsaid(struct model *m, const char *text)
{
    set_text(&m->unsaid, text ? shown(text) : NULL);
}

void model_init(struct model *m)
{
    *m = (struct model){.agent = AGENT_STARTING, .on = true};
}

void model_done(struct model *m)
{
    forget_upstreams(m);
    free(m->why);
    free(m->last_problem);
    free(m->unsaid);
    free(m->desktop);
    model_init(m);
}

/* --- the icon --- */

enum model_icon model_icon(const struct model *m)
{
    bool problem = false, direct = m->n_upstreams > 0;
    for (size_t i = 0; i < m->n_upstreams; i++) {
        problem = problem || m->upstreams[i].problem || m->upstreams[i].mode == MODE_ASLEEP;
        direct = direct && m->upstreams[i].mode == MODE_DIRECT;
    }
    if (m->agent == AGENT_MISSING)
        return ICON_PROBLEM;
    if (m->agent != AGENT_HERE || !m->on)
        return ICON_OFF;
    return direct ? ICON_DIRECT : problem ? ICON_PROBLEM : m->in_flight ? ICON_BUSY : ICON_ON;
}

static const struct {
    const char *name, *words;
} icons[ICONS] = {
    [ICON_ON] = {"exeat-on", "exeat is on"},
    [ICON_OFF] = {"exeat-off", "exeat is off"},
    [ICON_DIRECT] = {"exeat-direct", "exeat goes direct, without a proxy"},
    [ICON_BUSY] = {"exeat-busy", "exeat is on and busy"},
    [ICON_PROBLEM] = {"exeat-problem", "exeat has a problem"},
};

const char *model_icon_name(enum model_icon icon)
{
    return icons[icon].name;
}

const char *model_icon_words(enum model_icon icon)
{
    return icons[icon].words;
}

/* --- words --- */

static void add_clock(struct buf *out, time_t when)
{
    struct tm tm;
    char text[32];
    if (localtime_r(&when, &tm) && strftime(text, sizeof text, "%H:%M", &tm))
        buf_add_str(out, text);
}

static const char *mode_words(enum model_mode mode)
{
    static const char *const words[] = {
        [MODE_PROXY] = "by proxy", [MODE_DIRECT] = "direct", [MODE_ASLEEP] = "asleep, cannot be reached"};
    return words[mode];
}

/* "corp (proxy1:8080): by proxy" */
static void add_upstream(struct buf *out, const struct model_upstream *u)
{
    buf_addf(out, "%s%s%s%s: %s", u->name, *u->proxy ? " (" : "", u->proxy, *u->proxy ? ")" : "",
             mode_words(u->mode));
}

/* "CORP\alice, Negotiate (Kerberos), ticket until 18:02"; nothing when nothing is known. */
static void add_identity(struct buf *out, const struct model_upstream *u)
{
    buf_add_str(out, u->identity);
    if (*u->scheme)
        buf_addf(out, "%s%s", out->n ? ", " : "", u->scheme);
    if (u->ticket_until) {
        buf_addf(out, "%sticket until ", out->n ? ", " : "");
        add_clock(out, u->ticket_until);
    }
}

static void add_in_flight(struct buf *out, const struct model *m)
{
    buf_addf(out, "%" PRIu64 " request%s in flight, %" PRIu64 " tunnel%s open", m->in_flight,
             m->in_flight == 1 ? "" : "s", m->tunnels, m->tunnels == 1 ? "" : "s");
}

static void add_last_problem(struct buf *out, const struct model *m)
{
    buf_add_str(out, "Last problem, ");
    add_clock(out, m->last_problem_at);
    buf_addf(out, ": %s", m->last_problem);
}

static void add_more(struct buf *out, const struct model *m, const char *end)
{
    if (m->n_upstreams > MODEL_UPSTREAMS_SHOWN)
        buf_addf(out, "and %zu more: exeat status%s", m->n_upstreams - MODEL_UPSTREAMS_SHOWN, end);
}

void model_title(const struct model *m, struct buf *out)
{
    static const char *const gone[] = {[AGENT_STARTING] = "exeat: starting",
                                       [AGENT_STOPPED] = "exeat is stopped",
                                       [AGENT_MISSING] = "exeat is not running"};
    if (m->agent != AGENT_HERE)
        buf_add_str(out, gone[m->agent]);
    else if (!m->on)
        buf_addf(out, "exeat is off: requests %s", m->refuses ? "are refused" : "go direct");
    else
        buf_add_str(out, model_icon_words(model_icon(m)));
}

void model_tooltip(const struct model *m, struct buf *out)
{
    if (m->unsaid)
        buf_addf(out, "%s\n", m->unsaid);
    if (m->agent != AGENT_HERE) {
        buf_add_str(out, m->why ? m->why : "");
        return;
    }
    for (size_t i = 0; i < m->n_upstreams && i < MODEL_UPSTREAMS_SHOWN; i++) {
        const struct model_upstream *u = &m->upstreams[i];
        struct buf who = {0};
        add_upstream(out, u);
        add_identity(&who, u);
        buf_addf(out, "%s%.*s\n", who.n ? ", " : "", SPAN_ARG(buf_span(&who)));
        if (u->problem)
            buf_addf(out, "%s. %s\n", u->state, u->remedy);
        buf_free(&who);
    }
    add_more(out, m, "\n");
    add_in_flight(out, m);
    if (m->last_problem) {
        buf_add_str(out, "\n");
        add_last_problem(out, m);
    }
}

/* --- the menu --- */

static struct model_row *add_row(struct model_rows *out, enum model_action action, const char *label)
{
    struct model_row *row = &out->rows[out->n++];
    *row = (struct model_row){.action = action};
    buf_add_str(&row->label, label);
    return row;
}

static void upstream_rows(const struct model_upstream *u, struct model_rows *out)
{
    struct model_row *row = add_row(out, ACTION_NONE, "");
    add_upstream(&row->label, u);
    row = add_row(out, ACTION_NONE, "");
    add_identity(&row->label, u);
    if (row->label.n == 0)
        out->n--;
    if (u->problem)
        add_row(out, ACTION_NONE, u->state);
    if (u->alarm) {
        row = add_row(out, ACTION_ACCEPT, "");
        buf_addf(&row->label, "Accept weaker scheme of %s…", u->name);
        row->upstream = u->name;
    }
    if (u->renew != RENEW_NOT) {
        row = add_row(out, ACTION_RENEW, "");
        buf_addf(&row->label, "Renew ticket for %s", u->name);
        row->upstream = u->name;
    }
    row = add_row(out, ACTION_PASSWORD, "");
    buf_addf(&row->label, "Enter password for %s…", u->name);
    row->upstream = u->name;
}

static void agent_rows(const struct model *m, struct model_rows *out)
{
    struct model_row *row = add_row(out, ACTION_SWITCH, "Proxy on");
    row->checkable = true;
    row->checked = m->on;
    add_row(out, ACTION_SEPARATOR, "");
    for (size_t i = 0; i < m->n_upstreams && i < MODEL_UPSTREAMS_SHOWN; i++)
        upstream_rows(&m->upstreams[i], out);
    if (m->n_upstreams > MODEL_UPSTREAMS_SHOWN)
        add_more(&add_row(out, ACTION_NONE, "")->label, m, "");
    add_row(out, ACTION_SEPARATOR, "");
    add_in_flight(&add_row(out, ACTION_NONE, "")->label, m);
    if (m->last_problem)
        add_last_problem(&add_row(out, ACTION_NONE, "")->label, m);
    add_row(out, ACTION_SEPARATOR, "");
    if (m->desktop) {
        row = add_row(out, ACTION_DESKTOP, "");
        buf_addf(&row->label, "Desktop (%s) uses exeat", m->desktop);
        row->checkable = true;
        row->checked = m->desktop_uses_us;
    }
}

void model_rows(const struct model *m, struct model_rows *out)
{
    out->n = 0;
    if (m->unsaid)
        add_row(out, ACTION_NONE, m->unsaid);
    if (m->agent == AGENT_HERE) {
        agent_rows(m, out);
    } else {
        model_title(m, &add_row(out, ACTION_NONE, "")->label);
        if (m->why)
            add_row(out, ACTION_NONE, m->why);
        add_row(out, ACTION_START, "Start exeat");
        add_row(out, ACTION_SEPARATOR, "");
    }
    add_row(out, ACTION_DIAGNOSE, "Diagnose");
    add_row(out, ACTION_LOG, "Log");
    add_row(out, ACTION_SEPARATOR, "");
    add_row(out, ACTION_QUIT, "Quit (exeat goes on)");
}

void model_rows_free(struct model_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        buf_free(&rows->rows[i].label);
    rows->n = 0;
}

bool model_rows_alike(const struct model_rows *a, const struct model_rows *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->rows[i].action != b->rows[i].action || a->rows[i].checkable != b->rows[i].checkable)
            return false;
    return true;
}
