/*
 * Client programs that exeat can point at itself: a row each, and what is done with rows. Blocking, for the verbs that a person types; one thread.
 *
 * What is written, and what stood there before, is kept in a journal (journal.h), so that unset makes a file that nobody touched since what it was, byte for
 * byte, and takes no more than our own keys out of one that was.
 */
#ifndef EXEAT_APPS_APPS_H
#define EXEAT_APPS_APPS_H

#include "apps/edit.h"
#include "apps/aim.h"

enum app_scope {
    SCOPE_USER,
    SCOPE_SYSTEM,      /* files that root writes */
    SCOPE_ENVIRONMENT, /* it has no file of its own for this */
};

struct app_key {
    const char *key;   /* of the editor; for GNOME "schema key" */
    const char *value; /* a template: see aim_expand */
    bool main;         /* says which proxy: how the program stands is read from these */
};
#define APP_KEYS_MOST  8
#define APP_FILES_MOST 4

struct app_file {
    const char *paths; /* alternatives: see places.h */
    const struct editor *editor;
    struct app_key keys[APP_KEYS_MOST]; /* written in this order; ends with a NULL key */
    const char *shown;                  /* for tables: the path and what is written there, in Markdown */
};

struct app {
    const char *name, *title;
    const char *find; /* commands and paths, "|" between: any of them shows that it is there */
    enum app_scope scope;
    struct app_file files[APP_FILES_MOST]; /* ends with NULL paths */
    const struct app_key *settings;        /* of gsettings, instead of files */
    bool environment;                      /* it also heeds http_proxy and the like */
    const char
        *elsewhere;      /* "PATHS\nWORD": another proxy may stand in these files, in a line with the word */
    const char *runs_as; /* who asks for its downloads, when it is not the user */
    const char *by_name; /* why "all" leaves it out; NULL: it does not */
    const char *after;   /* what is to be done for it to take effect; NULL: nothing */
    const char *note;    /* for tables */
};

extern const struct app app_rows[]; /* sorted by name; ends with a NULL name */
const struct app *app_named(const char *name);

/* One run. */
struct apps {
    const char *root; /* system-wide files are looked for below it; NULL or "": / */
    struct aim aim;   /* lent */
    bool dry_run;     /* nothing is written, `out` gets the diff */
    struct buf out;   /* what was done, line by line, or the diff */
};

enum app_result {
    APP_DONE,
    APP_ALREADY, /* nothing was to be done */
    APP_NOT,     /* not done, for a reason that *e tells */
    APP_NOT_YET, /* the same, and the reason is that it has never run */
};

enum app_result app_set(struct apps *a, const struct app *app, struct err *e);
enum app_result app_unset(struct apps *a, const struct app *app, struct err *e);

bool app_found(const struct apps *a, const struct app *app);

enum app_stand { STAND_NONE, STAND_EXEAT, STAND_PARTLY, STAND_OTHER, STAND_UNKNOWN };

struct app_state {
    enum app_stand stand;
    bool by_environment; /* none of its own: stand is what http_proxy and https_proxy make of it */
    bool set_by_us;      /* the journal has it */
    struct buf proxy;    /* the other one, without user and password */
    struct buf files;    /* paths, newline behind each: where it was looked for */
    struct buf why;      /* STAND_UNKNOWN: what is wrong */
};

void app_look(const struct apps *a, const struct app *app, struct app_state *s);
void app_state_free(struct app_state *s);

/* The table of README: a line for each row. */
void apps_markdown(struct buf *out);

#endif
