/*
 * Setting and unsetting a program: what its row says, through the editors, with the journal written before the file. Each file is a step of its own; the one
 * that fails leaves the earlier ones done and undoable.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "apps/apps.h"
#include "apps/diff.h"
#include "apps/file.h"
#include "apps/journal.h"
#include "apps/places.h"
#include "apps/settings.h"
#include "apps/text.h"
#include "apps/undo.h"

static bool for_system(const struct app *app)
{
    return app->scope == SCOPE_SYSTEM;
}

static const char *root_for(const struct apps *a, const struct app *app)
{
    return for_system(app) && a->root && *a->root ? a->root : NULL;
}

/* May we write there at all? */
static bool allowed(const struct apps *a, const struct app *app, struct err *e)
{
    if (app->scope == SCOPE_ENVIRONMENT)
        return err_set(
            e, ERR_USAGE,
            "%s has no file of its own for this, only the environment: eval \"$(exeat env)\" for a shell, "
            "\"exeat exec -- %s ...\" for one command, \"exeat apps set environment\" for all of the desktop "
            "session",
            app->title, app->name);
    if (for_system(app) && geteuid() != 0 && !root_for(a, app) && !a->dry_run)
        return err_set(e, ERR_SYSTEM, "%s is set up for the whole machine, by root: sudo exeat apps set %s",
                       app->title, app->name);
    if (!for_system(app) && places_home_is_foreign())
        return err_set(e, ERR_SYSTEM,
                       "the home directory belongs to another user, and what is written there now would not "
                       "be his: do this "
                       "without sudo");
    return true;
}

/* --- one file --- */

/* One file on its way from what it is to what it shall be. */
struct change {
    struct apps *a;
    const struct app *app;
    const struct app_file *row; /* NULL when undoing */
    struct journal *journal;
    struct file file;
    json_t *old_entry; /* borrowed; NULL: we have not written it before */
    struct buf base;   /* without us */
    bool base_existed;
    struct buf text; /* with us */
    json_t *keys;
};

static void change_free(struct change *c)
{
    file_free(&c->file);
    buf_free(&c->base);
    buf_free(&c->text);
    json_decref(c->keys);
}

static bool blame(const char *path, struct err *e)
{
    struct err why = *e;
    return err_set(e, why.code, "%s was left alone: %s", path, why.text);
}

static void show(struct change *c, bool remove)
{
    diff_print(&c->a->out, c->file.existed ? c->file.path : NULL, buf_span(&c->file.text),
               remove ? NULL : c->file.path, remove ? SPAN("") : buf_span(&c->text));
}

/* The text as it would be without what we wrote there before. */
static bool find_base(struct change *c, struct err *e)
{
    c->base.max = c->text.max = FILE_MOST * 2;
    c->base_existed = c->file.existed;
    if (!c->old_entry || !c->file.existed)
        return buf_add_span(&c->base, buf_span(&c->file.text));
    struct undone u;
    bool ok =
        undo_make(&u, c->old_entry, buf_span(&c->file.text), e) && buf_add_span(&c->base, buf_span(&u.text));
    if (!json_is_true(json_object_get(c->old_entry, "existed")) &&
        edit_empty(c->row->editor, buf_span(&u.text)))
        c->base_existed = false;
    undo_free(&u);
    return ok;
}

static bool write_key(struct change *c, const struct app_key *key, struct err *e)
{
    const struct editor *editor = c->row->editor;
    struct buf ours = {0};
    struct span was, now;
    aim_expand(&c->a->aim, key->value, &ours);
    bool had = editor->get(editor, buf_span(&c->text), key->key, buf_span(&ours), &was);
    bool prune = !editor->holds(editor, buf_span(&c->text), key->key);
    json_t *row = json_pack("{s:s, s:o, s:o, s:b}", "key", key->key, "ours", journal_bytes(buf_span(&ours)),
                            "was", had ? journal_bytes(was) : json_null(), "prune", (int)prune);
    json_array_append_new(c->keys, row);
    bool ok = editor->put(editor, &c->text, key->key, buf_span(&ours), e);
    /* The proof that the editor has understood the file. */
    if (ok && (!editor->get(editor, buf_span(&c->text), key->key, buf_span(&ours), &now) ||
               !span_eq(now, buf_span(&ours))))
        ok = err_set(e, ERR_CONFIG, "its form is one that exeat does not understand");
    buf_free(&ours);
    return ok;
}

static json_t *make_entry(const struct change *c)
{
    char old[65], new[65];
    struct diff d;
    json_t *hunks = json_array();
    file_digest(buf_span(&c->base), old);
    file_digest(buf_span(&c->text), new);
    diff_make(&d, buf_span(&c->base), buf_span(&c->text));
    for (size_t i = 0; i < d.n; i++)
        json_array_append_new(
            hunks, json_pack("[I, I, o]", (json_int_t)d.hunks[i].new_at, (json_int_t)d.hunks[i].new_n,
                             journal_bytes(span_make(c->base.p + d.hunks[i].old_at, d.hunks[i].old_n))));
    diff_free(&d);
    return json_pack("{s:s, s:o, s:s, s:b, s:s, s:s, s:o, s:O}", "app", c->app->name, "path",
                     journal_bytes(span_str(c->file.path)), "editor", c->row->editor->name, "existed",
                     (int)c->base_existed, "old", old, "new", new, "hunks", hunks, "keys", c->keys);
}

static bool write_change(struct change *c, struct err *e)
{
    struct buf folders = {0};
    bool ok = file_make_folders(c->file.path, for_system(c->app) ? 0755 : 0700, &folders, e);
    journal_add_folders(c->journal, buf_span(&folders));
    buf_free(&folders);
    if (!ok)
        return false;
    json_t *entry = make_entry(c), *before = json_deep_copy(c->old_entry);
    journal_put(c->journal, entry);
    ok = journal_save(c->journal, e) &&
         file_write(&c->file, buf_span(&c->text), for_system(c->app) ? 0644 : 0600, e);
    if (!ok) { /* the file is what it was, and so is what the journal says of it */
        journal_remove(c->journal, entry);
        if (before)
            journal_put(c->journal, json_incref(before));
        journal_clear_folders(c->journal);
        journal_save(c->journal, NULL);
    }
    json_decref(before);
    return ok;
}

static enum app_result set_change(struct change *c, const char *path, struct err *e)
{
    if (!file_read(&c->file, path, root_for(c->a, c->app), e))
        return APP_NOT;
    c->old_entry = journal_find(c->journal, c->app->name, c->file.path);
    bool ok = find_base(c, e) && buf_add_span(&c->text, buf_span(&c->base));
    for (const struct app_key *key = c->row->keys; ok && key < c->row->keys + APP_KEYS_MOST && key->key;
         key++)
        ok = write_key(c, key, e);
    if (!ok) {
        blame(c->file.path, e);
        return APP_NOT;
    }
    if (c->file.existed && span_eq(buf_span(&c->text), buf_span(&c->file.text)))
        return APP_ALREADY;
    if (c->a->dry_run) {
        show(c, false);
        return APP_DONE;
    }
    if (!write_change(c, e))
        return APP_NOT;
    buf_addf(&c->a->out, "%s: wrote %s\n", c->app->name, c->file.path);
    return APP_DONE;
}

static enum app_result set_file(struct apps *a, const struct app *app, const struct app_file *row,
                                struct journal *journal, const char *path, struct err *e)
{
    struct change c = {.a = a, .app = app, .row = row, .journal = journal, .keys = json_array()};
    enum app_result result = set_change(&c, path, e);
    change_free(&c);
    return result;
}

static void worse(enum app_result *all, enum app_result one)
{
    if (one == APP_NOT || *all == APP_NOT)
        *all = APP_NOT;
    else if (one == APP_DONE)
        *all = APP_DONE;
}

static enum app_result set_files(struct apps *a, const struct app *app, struct journal *journal,
                                 struct err *e)
{
    enum app_result all = APP_ALREADY;
    size_t n = 0;
    for (const struct app_file *row = app->files;
         row < app->files + APP_FILES_MOST && row->paths && all != APP_NOT; row++) {
        struct places places;
        places_find(&places, row->paths, root_for(a, app));
        for (size_t i = 0; i < places.n && all != APP_NOT; i++, n++)
            worse(&all, set_file(a, app, row, journal, places.at[i], e));
        places_free(&places);
    }
    if (n)
        return all;
    err_set(e, ERR_SYSTEM, "%s has no place for its settings here yet: start it once", app->title);
    return APP_NOT_YET;
}

/* --- undoing a file --- */

static bool put_back(struct change *c, bool exact, bool remove, struct err *e)
{
    if (c->a->dry_run) {
        show(c, remove);
        return true;
    }
    bool ok = remove ? file_remove(&c->file, e) : file_write(&c->file, buf_span(&c->text), 0600, e);
    if (ok)
        buf_addf(&c->a->out, "%s: %s %s%s\n", c->app->name, remove ? "removed" : "put back", c->file.path,
                 exact ? "" : ", which has been changed since: took out what is ours, no more");
    return ok;
}

static bool undo_file(struct change *c, json_t *entry, struct err *e)
{
    struct buf path = {0};
    bool existed = json_is_true(json_object_get(entry, "existed"));
    journal_read_bytes(json_object_get(entry, "path"), &path);
    bool ok = span_starts(buf_span(&path), SPAN("/"))
                  ? file_read(&c->file, buf_cstr(&path), root_for(c->a, c->app), e)
                  : err_set(e, ERR_SYSTEM, "the journal names no file for %s: it is damaged", c->app->name);
    buf_free(&path);
    if (!ok)
        return false;
    if (!c->a->dry_run)
        file_sweep(c->file.path);
    if (!c->file.existed) {
        if (existed)
            buf_addf(&c->a->out, "%s: %s is gone: there is nothing to put back\n", c->app->name,
                     c->file.path);
        return true;
    }
    struct undone u;
    ok = undo_make(&u, entry, buf_span(&c->file.text), e) || blame(c->file.path, e);
    if (ok && u.left.n)
        buf_addf(&c->a->out, "%s: %s in %s has been changed since, and stays\n", c->app->name,
                 buf_cstr(&u.left), c->file.path);
    if (ok)
        c->text = u.text, u.text = (struct buf){0};
    const struct editor *editor = editor_named(journal_text(entry, "editor"));
    bool remove = ok && !existed && (u.exact || (editor && edit_empty(editor, buf_span(&c->text))));
    bool changed = remove || !span_eq(buf_span(&c->text), buf_span(&c->file.text));
    ok = ok && (!changed || put_back(c, u.exact, remove, e));
    undo_free(&u);
    return ok;
}

static bool unset_file(struct apps *a, const struct app *app, json_t *entry, struct err *e)
{
    struct change c = {.a = a, .app = app};
    bool ok = undo_file(&c, entry, e);
    change_free(&c);
    return ok;
}

/* --- the two verbs --- */

enum app_result app_set(struct apps *a, const struct app *app, struct err *e)
{
    struct journal journal;
    if (!allowed(a, app, e) || !journal_open(&journal, for_system(app), a->root, !a->dry_run, e))
        return APP_NOT;
    enum app_result result =
        app->settings ? settings_set(a, app, &journal, e) : set_files(a, app, &journal, e);
    journal_close(&journal);
    return result;
}

enum app_result app_unset(struct apps *a, const struct app *app, struct err *e)
{
    struct journal journal;
    json_t *entry, *todo;
    if (app->scope == SCOPE_ENVIRONMENT)
        return APP_ALREADY;
    if (!journal_open(&journal, for_system(app), a->root, false, e))
        return APP_NOT;
    bool any = journal_find(&journal, app->name, NULL) != NULL;
    journal_close(&journal);
    if (!any)
        return APP_ALREADY;
    if (!allowed(a, app, e) || !journal_open(&journal, for_system(app), a->root, !a->dry_run, e))
        return APP_NOT;
    size_t i;
    bool ok = true;
    todo = json_copy(journal.entries);
    json_array_foreach(todo, i, entry)
    {
        if (!ok || strcmp(journal_text(entry, "app"), app->name) != 0)
            continue;
        ok = app->settings ? settings_unset(a, app, entry, e) : unset_file(a, app, entry, e);
        if (ok && !a->dry_run) {
            journal_remove(&journal, entry);
            journal_clear_folders(&journal);
            ok = journal_save(&journal, e);
        }
    }
    json_decref(todo);
    journal_close(&journal);
    return ok ? APP_DONE : APP_NOT;
}
