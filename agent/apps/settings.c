/*
 * Desktop settings that a program reads from GSettings: set, and put back from the journal, where what they were stands before they are written. One thread.
 */
#include "apps/settings.h"

#include "apps/gsettings.h"

#define SETTINGS "gsettings" /* instead of a path, in the journal */

static json_t *settings_row(json_t *entry, const char *key)
{
    json_t *row;
    size_t i;
    json_array_foreach(json_object_get(entry, "keys"), i,
                       row) if (strcmp(journal_text(row, "key"), key) == 0) return row;
    return NULL;
}

/* One setting: what it was goes into the entry, unless that has it from an earlier time. */
static enum app_result set_setting(struct apps *a, json_t *entry, const struct app_key *key, struct err *e)
{
    struct buf ours = {0}, now = {0}, schema = {0};
    enum app_result result = APP_NOT;
    aim_expand(&a->aim, key->value, &ours);
    if (gsettings_get(key->key, false, &now, e) && gsettings_get(key->key, true, &schema, e)) {
        json_t *row = settings_row(entry, key->key);
        bool still_ours = row && strcmp(journal_text(row, "ours"), buf_cstr(&now)) == 0;
        if (!row)
            json_array_append_new(json_object_get(entry, "keys"), row = json_pack("{s:s}", "key", key->key));
        if (!still_ours)
            json_object_set_new(row, "was",
                                span_eq(buf_span(&now), buf_span(&schema)) ? json_null()
                                                                           : journal_bytes(buf_span(&now)));
        json_object_set_new(row, "ours", journal_bytes(buf_span(&ours)));
        result = span_eq(buf_span(&now), buf_span(&ours)) ? APP_ALREADY : APP_DONE;
    }
    if (result == APP_DONE && a->dry_run)
        buf_addf(&a->out, " %s\n-%s\n+%s\n", key->key, buf_cstr(&now), buf_cstr(&ours));
    buf_free(&ours);
    buf_free(&now);
    buf_free(&schema);
    return result;
}

static bool write_settings(struct journal *journal, json_t *entry, struct err *e)
{
    json_t *row;
    size_t i;
    journal_put(journal, json_incref(entry));
    bool ok = journal_save(journal, e);
    json_array_foreach(json_object_get(entry, "keys"), i, row) ok =
        ok && gsettings_set(journal_text(row, "key"), journal_text(row, "ours"), e);
    return ok;
}

enum app_result settings_set(struct apps *a, const struct app *app, struct journal *journal, struct err *e)
{
    json_t *old = journal_find(journal, app->name, SETTINGS);
    json_t *entry =
        old ? json_deep_copy(old) : json_pack("{s:s, s:s, s:[]}", "app", app->name, "path", SETTINGS, "keys");
    enum app_result all = APP_ALREADY, one;
    for (const struct app_key *key = app->settings; key->key && all != APP_NOT; key++) {
        if ((one = set_setting(a, entry, key, e)) != APP_ALREADY)
            all = one;
    }
    if (all == APP_DONE && !a->dry_run) {
        if (write_settings(journal, entry, e))
            buf_addf(&a->out, "%s: set org.gnome.system.proxy\n", app->name);
        else
            all = APP_NOT;
    }
    json_decref(entry);
    return all;
}

bool settings_unset(struct apps *a, const struct app *app, json_t *entry, struct err *e)
{
    json_t *keys = json_object_get(entry, "keys");
    bool ok = true;
    for (size_t i = json_array_size(keys); ok && i-- > 0;) {
        json_t *row = json_array_get(keys, i), *was = json_object_get(row, "was");
        const char *key = journal_text(row, "key"),
                   *old = json_is_string(was) ? json_string_value(was) : NULL;
        struct buf now = {0};
        ok = gsettings_get(key, false, &now, e);
        if (!ok || strcmp(buf_cstr(&now), journal_text(row, "ours")) != 0) {
            if (ok)
                buf_addf(&a->out, "%s: %s has been changed since, and stays\n", app->name, key);
        } else if (a->dry_run) {
            buf_addf(&a->out, " %s\n-%s\n+%s\n", key, buf_cstr(&now), old ? old : "(reset)");
        } else {
            ok = gsettings_set(key, old, e);
        }
        buf_free(&now);
    }
    if (ok && !a->dry_run)
        buf_addf(&a->out, "%s: put org.gnome.system.proxy back\n", app->name);
    return ok;
}
