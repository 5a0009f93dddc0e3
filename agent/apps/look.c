/*
 * How a program stands: what its files say, else what the environment says. Reads only.
 */
#include <glob.h>
#include <stdlib.h>
#include <unistd.h>

#include "apps/apps.h"
#include "apps/file.h"
#include "apps/gsettings.h"
#include "apps/journal.h"
#include "apps/places.h"
#include "apps/text.h"

bool app_found(const struct apps *a, const struct app *app)
{
    return places_any(app->find, app->scope == SCOPE_SYSTEM ? a->root : NULL);
}

/* Without quotes, and without a user and password in front of the host. */
static void add_proxy(struct app_state *s, struct span value)
{
    if (s->proxy.n)
        return;
    value = span_trim(value);
    if (value.n > 1 && strchr("\"'", value.p[0]) && value.p[value.n - 1] == value.p[0])
        value = span_make(value.p + 1, value.n - 2);
    if (value.n > 200 || span_find(value, '\n') < value.n || span_find(value, '<') < value.n ||
        span_find(value, '{') < value.n)
        value = SPAN("another one"); /* a whole element or object */
    size_t at = span_rfind(value, '@');
    if (at < value.n) {
        const char *scheme = memmem(value.p, at, "://", 3);
        buf_add(&s->proxy, value.p, scheme ? (size_t)(scheme - value.p) + 3 : 0);
        value = span_from(value, at + 1);
    }
    buf_add_span(&s->proxy, value);
}

struct count {
    size_t keys, ours, others;
};

static void count_key(const struct apps *a, const struct app_file *row, const struct app_key *key,
                      struct span text, struct app_state *s, struct count *n)
{
    struct buf ours = {0};
    struct span now;
    aim_expand(&a->aim, key->value, &ours);
    n->keys++;
    if (row->editor->get(row->editor, text, key->key, buf_span(&ours), &now)) {
        bool same = edit_same(row->editor, now, buf_span(&ours));
        n->ours += same;
        n->others += !same;
        if (!same)
            add_proxy(s, now);
    }
    buf_free(&ours);
}

static void look_at_file(const struct apps *a, const struct app_file *row, const char *path,
                         struct app_state *s, struct count *n)
{
    struct err e = {0};
    struct file f;
    buf_addf(&s->files, "%s\n", path);
    if (!file_peek(&f, path, &e)) {
        buf_add_str(&s->why, e.text);
        return;
    }
    for (const struct app_key *key = row->keys; key < row->keys + APP_KEYS_MOST && key->key; key++)
        if (key->main)
            count_key(a, row, key, buf_span(&f.text), s, n);
    file_free(&f);
}

/* A line with the word, in one of the other files that the program reads. */
static void look_elsewhere(const struct apps *a, const struct app *app, struct app_state *s, struct count *n)
{
    struct span rest = span_str(app->elsewhere), paths = span_cut(&rest, '\n');
    while (paths.n && !n->others) {
        struct span one = span_cut(&paths, '|');
        struct buf pattern = {0};
        glob_t found;
        buf_addf(&pattern, "%s%.*s", app->scope == SCOPE_SYSTEM && a->root ? a->root : "", SPAN_ARG(one));
        bool any = glob(buf_cstr(&pattern), 0, NULL, &found) == 0;
        for (size_t i = 0; any && i < found.gl_pathc && !n->others; i++) {
            struct file f;
            if (!file_peek(&f, found.gl_pathv[i], NULL))
                continue;
            for (size_t at = 0; at < f.text.n && !n->others && n->ours == 0;
                 at = text_next_line(buf_span(&f.text), at)) {
                struct span line = span_trim(text_rest_of_line(buf_span(&f.text), at));
                const char *word = memmem(line.p, line.n, rest.p, rest.n);
                if (!word || line.p[0] == '#' || span_starts(line, SPAN("//")) ||
                    !memmem(line.p, line.n, "://", 3))
                    continue;
                struct span value = span_from(line, span_find(line, '"') + 1);
                n->others++;
                add_proxy(s, span_head(value, span_find(value, '"')));
                buf_addf(&s->files, "%s\n", f.path);
            }
            file_free(&f);
        }
        if (any)
            globfree(&found);
        buf_free(&pattern);
    }
}

static void look_at_settings(const struct apps *a, const struct app *app, struct app_state *s,
                             struct count *n)
{
    struct err e = {0};
    struct buf mode = {0};
    buf_add_str(&s->files, "gsettings org.gnome.system.proxy\n");
    if (!gsettings_get("org.gnome.system.proxy mode", false, &mode, &e))
        buf_add_str(&s->why, e.text);
    bool manual = span_eq(buf_span(&mode), SPAN("'manual'"));
    for (const struct app_key *key = app->settings; !s->why.n && key->key; key++) {
        struct buf ours = {0}, now = {0};
        aim_expand(&a->aim, key->value, &ours);
        if (key->main && gsettings_get(key->key, false, &now, NULL)) {
            bool same = span_eq(buf_span(&now), buf_span(&ours));
            n->keys++;
            n->ours += manual && same;
            n->others += manual && !same;
            if (manual && !same)
                add_proxy(s, buf_span(&now));
        }
        buf_free(&ours);
        buf_free(&now);
    }
    if (span_eq(buf_span(&mode), SPAN("'auto'"))) {
        n->others++;
        add_proxy(s, SPAN("automatic configuration"));
    }
    buf_free(&mode);
}

static void by_environment(const struct apps *a, struct app_state *s, struct count *n)
{
    static const char *const names[][2] = {{"http_proxy", "HTTP_PROXY"}, {"https_proxy", "HTTPS_PROXY"}};
    s->by_environment = true;
    for (size_t i = 0; i < 2; i++) {
        const char *value = getenv(names[i][0]);
        if (!value || !*value)
            value = getenv(names[i][1]);
        struct span own = span_str(a->aim.url), now = span_str(value);
        if (span_ends(now, SPAN("/")))
            now.n--;
        n->keys++;
        n->ours += now.n && span_eq(now, own);
        if (now.n && !span_eq(now, own)) {
            n->others++;
            add_proxy(s, now);
        }
    }
}

static void look_in_journal(const struct apps *a, const struct app *app, struct app_state *s)
{
    struct journal j;
    if (!journal_open(&j, app->scope == SCOPE_SYSTEM, a->root, false, NULL))
        return;
    s->set_by_us = journal_find(&j, app->name, NULL) != NULL;
    journal_close(&j);
}

void app_look(const struct apps *a, const struct app *app, struct app_state *s)
{
    struct count n = {0};
    const char *root = app->scope == SCOPE_SYSTEM ? a->root : NULL;
    *s = (struct app_state){0};
    for (const struct app_file *row = app->files; row < app->files + APP_FILES_MOST && row->paths; row++) {
        struct places places;
        places_find(&places, row->paths, root);
        for (size_t i = 0; i < places.n && !s->why.n; i++)
            look_at_file(a, row, places.at[i], s, &n);
        places_free(&places);
    }
    if (app->elsewhere && !n.ours)
        look_elsewhere(a, app, s, &n);
    if (app->settings)
        look_at_settings(a, app, s, &n);
    if (app->environment && !n.ours && !n.others && !s->why.n) {
        n = (struct count){0};
        by_environment(a, s, &n);
    }
    s->stand = s->why.n           ? STAND_UNKNOWN
               : n.others         ? STAND_OTHER
               : n.ours == 0      ? STAND_NONE
               : n.ours == n.keys ? STAND_EXEAT
                                  : STAND_PARTLY;
    look_in_journal(a, app, s);
}

void app_state_free(struct app_state *s)
{
    buf_free(&s->proxy);
    buf_free(&s->files);
    buf_free(&s->why);
}
