/*
 * What the tray knows of the agent, and what it shows of that: icon, tooltip and the rows of the menu. A mirror: it decides nothing. No desktop toolkit and no
 * socket in here. One thread; the owner calls model_done.
 */
#ifndef EXEAT_TRAY_MODEL_H
#define EXEAT_TRAY_MODEL_H

#include <jansson.h>
#include <stdint.h>
#include <time.h>

#include "base/buf.h"

enum model_agent {
    AGENT_STARTING, /* nothing is known yet */
    AGENT_HERE,
    AGENT_STOPPED, /* because somebody wanted it */
    AGENT_MISSING, /* it went away, or does not start */
};

/* How a ticket lasts longer: by itself, or it cannot; by the program that got it for the user; by a password that exeat is given. */
enum model_renew { RENEW_NOT, RENEW_KINIT, RENEW_LOGIN };

enum model_mode { MODE_PROXY, MODE_DIRECT, MODE_ASLEEP };

struct model_upstream {
    char *name, *proxy, *identity, *scheme, *state, *remedy; /* none is NULL */
    enum model_mode mode;
    bool problem, alarm, login_helps;
    time_t ticket_until; /* 0: no ticket */
    enum model_renew renew;
};

struct model {
    enum model_agent agent;
    char *why;        /* AGENT_MISSING: in words; else NULL */
    json_int_t state; /* the agent's number for all of this */
    bool on, refuses; /* refuses: what off means */
    uint64_t in_flight, tunnels;
    char *last_problem; /* NULL: none */
    time_t last_problem_at;
    struct model_upstream *upstreams;
    size_t n_upstreams;
    char *unsaid;         /* what could not be told by a notification; NULL: nothing */
    char *desktop;        /* "GNOME", "KDE"; NULL: none that could be pointed at us */
    bool desktop_uses_us; /* as "exeat apps" has it */
};

enum model_icon { ICON_ON, ICON_OFF, ICON_DIRECT, ICON_BUSY, ICON_PROBLEM, ICONS };

enum model_action {
    ACTION_NONE, /* a line to read */
    ACTION_SEPARATOR,
    ACTION_SWITCH,
    ACTION_START,
    ACTION_PASSWORD,
    ACTION_RENEW,
    ACTION_ACCEPT,
    ACTION_DESKTOP,
    ACTION_DIAGNOSE,
    ACTION_LOG,
    ACTION_QUIT,
};

struct model_row {
    enum model_action action;
    struct buf label;
    bool checkable, checked;
    const char *upstream; /* ACTION_PASSWORD, ACTION_RENEW, ACTION_ACCEPT; the model's */
};

#define MODEL_UPSTREAMS_SHOWN 8
#define MODEL_ROWS_MOST       (14 + MODEL_UPSTREAMS_SHOWN * 6)

struct model_rows {
    struct model_row rows[MODEL_ROWS_MOST];
    size_t n;
};

void model_init(struct model *m);
void model_done(struct model *m);
/* An answer to status. What it lacks counts as empty: an older agent is no reason to fail. */
void model_take(struct model *m, json_t *status);
/* It is not there. `why` only with AGENT_MISSING. */
void model_gone(struct model *m, enum model_agent how, const char *why);
/* NULL: all is said. Copied and cut as what the agent says. */
void model_unsaid(struct model *m, const char *text);

enum model_icon model_icon(const struct model *m);
const char *model_icon_name(enum model_icon icon);  /* without a suffix for the colour */
const char *model_icon_words(enum model_icon icon); /* for who cannot see it */
/* A line for the heading, and some below it. Plain text. */
void model_title(const struct model *m, struct buf *out);
void model_tooltip(const struct model *m, struct buf *out);
/* The caller frees them. */
void model_rows(const struct model *m, struct model_rows *out);
void model_rows_free(struct model_rows *rows);
/* Would both look the same, but for words and marks? */
bool model_rows_alike(const struct model_rows *a, const struct model_rows *b);

#endif
