/*
 * Undoing: exactly, by the hunks, when the file is still what we wrote; else key by key, each only if it is still ours.
 */
#include "apps/undo.h"

#include "apps/edit.h"
#include "apps/file.h"
#include "apps/journal.h"

static bool is_digest(const json_t *entry, const char *name, struct span text)
{
    char digest[65];
    file_digest(text, digest);
    return strcmp(journal_text(entry, name), digest) == 0;
}

/* The old text from the new one and the hunks. */
static bool by_hunks(const json_t *entry, struct span new, struct buf *old)
{
    json_t *hunk;
    size_t i, at = 0;
    json_array_foreach(json_object_get(entry, "hunks"), i, hunk)
    {
        json_int_t from = json_integer_value(json_array_get(hunk, 0)),
                   n = json_integer_value(json_array_get(hunk, 1));
        if (from < (json_int_t)at || n < 0 || from > (json_int_t) new.n || n > (json_int_t) new.n - from)
            return false;
        buf_add(old, new.p + at, (size_t)from - at);
        if (!journal_read_bytes(json_array_get(hunk, 2), old))
            return false;
        at = (size_t)(from + n);
    }
    buf_add_span(old, span_from(new, at));
    return is_digest(entry, "old", buf_span(old));
}

static bool one_key(struct undone *u, const struct editor *editor, const json_t *row, struct err *e)
{
    struct buf ours = {0}, was = {0};
    const char *key = journal_text(row, "key");
    bool had = journal_read_bytes(json_object_get(row, "was"), &was), ok = true;
    journal_read_bytes(json_object_get(row, "ours"), &ours);
    struct span now;
    if (!editor->get(editor, buf_span(&u->text), key, buf_span(&ours), &now))
        ; /* somebody has taken it out already */
    else if (!edit_same(editor, now, buf_span(&ours)))
        buf_addf(&u->left, "%s%s", u->left.n ? ", " : "", key);
    else if (had)
        ok = editor->put(editor, &u->text, key, buf_span(&was), e);
    else
        editor->drop(editor, &u->text, key, buf_span(&ours), json_is_true(json_object_get(row, "prune")));
    buf_free(&ours);
    buf_free(&was);
    return ok;
}

bool undo_make(struct undone *u, const json_t *entry, struct span now, struct err *e)
{
    *u = (struct undone){.text = {.max = FILE_MOST * 2}};
    const struct editor *editor = editor_named(journal_text(entry, "editor"));
    if (is_digest(entry, "old", now)) { /* not written in the end, or undone already */
        u->exact = true;
        return buf_add_span(&u->text, now);
    }
    u->exact = is_digest(entry, "new", now) && by_hunks(entry, now, &u->text);
    if (u->exact)
        return true;
    buf_clear(&u->text);
    buf_add_span(&u->text, now);
    if (!editor)
        return err_set(e, ERR_SYSTEM, "the journal is of another version of exeat");
    json_t *keys = json_object_get(entry, "keys");
    bool ok = true;
    for (size_t i = json_array_size(keys); ok && i-- > 0;)
        ok = one_key(u, editor, json_array_get(keys, i), e);
    return ok;
}

void undo_free(struct undone *u)
{
    buf_free(&u->text);
    buf_free(&u->left);
}
