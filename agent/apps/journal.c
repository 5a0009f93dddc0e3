/*
 * The journal as one JSON file, replaced whole; a lock file beside it keeps two runs apart.
 */
#include "apps/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "apps/file.h"
#include "base/base64.h"
#include "config/config.h"

#define SYSTEM_FOLDER "/var/lib/exeat"

static char *folder_of(bool for_system, const char *root, bool write, struct err *e)
{
    if (!for_system)
        return config_state_dir(e);
    struct buf path = {0}, made = {0};
    buf_addf(&path, "%s" SYSTEM_FOLDER, root ? root : "");
    bool ok = true;
    if (write) {
        buf_add_str(&path, "/");
        ok = file_make_folders(buf_cstr(&path), 0755, &made, e);
        path.n--;
    }
    char *folder = ok ? mem_strdup(buf_cstr(&path)) : NULL;
    buf_free(&path);
    buf_free(&made);
    return folder;
}

static bool take_lock(struct journal *j, struct err *e)
{
    struct buf name = {0};
    buf_addf(&name, "%s.lock", j->path);
    j->lock = open(buf_cstr(&name), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = j->lock >= 0;
    while (ok && flock(j->lock, LOCK_EX) != 0)
        ok = errno == EINTR;
    if (!ok)
        err_errno(e, ERR_SYSTEM, errno, "%s cannot be opened", buf_cstr(&name));
    buf_free(&name);
    return ok;
}

static bool load(struct journal *j, struct err *e)
{
    json_error_t why;
    int fd = open(j->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 && (errno == ENOENT || j->lock < 0)) {
        j->entries = json_array();
        j->folders = json_array();
        return true;
    }
    json_t *whole = fd >= 0 ? json_loadfd(fd, 0, &why) : NULL;
    if (fd >= 0)
        close(fd);
    j->entries = json_incref(json_object_get(whole, "entries"));
    j->folders = json_incref(json_object_get(whole, "folders"));
    json_decref(whole);
    return (json_is_array(j->entries) && json_is_array(j->folders)) ||
           err_set(e, ERR_SYSTEM,
                   "%s, where exeat keeps what it changed in other programs' files, cannot be read; if it is "
                   "beyond "
                   "repair move it away: nothing can be undone by \"unset\" then",
                   j->path);
}

bool journal_open(struct journal *j, bool for_system, const char *root, bool write, struct err *e)
{
    *j = (struct journal){.lock = -1};
    char *folder = folder_of(for_system, root, write, e);
    if (!folder)
        return false;
    struct buf path = {0};
    buf_addf(&path, "%s/apps.json", folder);
    j->path = mem_strdup(buf_cstr(&path));
    buf_free(&path);
    free(folder);
    if ((!write || take_lock(j, e)) && load(j, e))
        return true;
    journal_close(j);
    return false;
}

void journal_close(struct journal *j)
{
    if (j->lock >= 0)
        close(j->lock);
    json_decref(j->entries);
    json_decref(j->folders);
    free(j->path);
    *j = (struct journal){.lock = -1};
}

bool journal_save(struct journal *j, struct err *e)
{
    struct file f = {.path = j->path};
    json_t *whole = json_pack("{s:O, s:O}", "entries", j->entries, "folders", j->folders);
    char *text = json_dumps(whole, JSON_INDENT(1));
    json_decref(whole);
    bool ok = text ? file_write(&f, span_str(text), 0600, e)
                   : err_set(e, ERR_SYSTEM, "the journal cannot be written");
    free(text);
    return ok;
}

json_t *journal_find(const struct journal *j, const char *app, const char *path)
{
    json_t *entry;
    size_t i;
    json_array_foreach(j->entries, i, entry)
    {
        struct buf own = {0};
        bool same = strcmp(journal_text(entry, "app"), app) == 0 &&
                    journal_read_bytes(json_object_get(entry, "path"), &own) &&
                    (!path || span_eq(buf_span(&own), span_str(path)));
        buf_free(&own);
        if (same)
            return entry;
    }
    return NULL;
}

void journal_remove(struct journal *j, const json_t *entry)
{
    for (size_t i = 0; i < json_array_size(j->entries); i++)
        if (json_array_get(j->entries, i) == entry) {
            json_array_remove(j->entries, i);
            return;
        }
}

void journal_put(struct journal *j, json_t *entry)
{
    struct buf path = {0};
    journal_read_bytes(json_object_get(entry, "path"), &path);
    json_t *old = journal_find(j, journal_text(entry, "app"), buf_cstr(&path));
    buf_free(&path);
    if (old)
        journal_remove(j, old);
    json_array_append_new(j->entries, entry);
}

void journal_add_folders(struct journal *j, struct span made)
{
    while (made.n)
        json_array_append_new(j->folders, journal_bytes(span_cut(&made, '\n')));
}

/* Is a file that we have written somewhere below it? */
static bool in_use(const struct journal *j, struct span folder)
{
    json_t *entry;
    size_t i;
    bool used = false;
    json_array_foreach(j->entries, i, entry)
    {
        struct buf path = {0};
        journal_read_bytes(json_object_get(entry, "path"), &path);
        used = used || (span_starts(buf_span(&path), folder) && path.n > folder.n && path.p[folder.n] == '/');
        buf_free(&path);
    }
    return used;
}

/* They stand in the order in which they were made, so a folder behind the one that it is in. */
void journal_clear_folders(struct journal *j)
{
    for (size_t i = json_array_size(j->folders); i-- > 0;) {
        struct buf path = {0};
        journal_read_bytes(json_array_get(j->folders, i), &path);
        bool gone = rmdir(buf_cstr(&path)) == 0 || errno == ENOENT;
        if (gone || !in_use(j, buf_span(&path)))
            json_array_remove(j->folders, i);
        buf_free(&path);
    }
}

json_t *journal_bytes(struct span bytes)
{
    json_t *text = json_stringn(bytes.p ? bytes.p : "", bytes.n);
    if (text)
        return text;
    struct buf encoded = {0};
    base64_encode(&encoded, bytes);
    json_t *object = json_pack("{s:s}", "base64", buf_cstr(&encoded));
    buf_free(&encoded);
    return object;
}

bool journal_read_bytes(const json_t *value, struct buf *out)
{
    if (json_is_string(value))
        return buf_add(out, json_string_value(value), json_string_length(value));
    const char *encoded = json_string_value(json_object_get(value, "base64"));
    return encoded && base64_decode(out, span_str(encoded));
}

const char *journal_text(const json_t *entry, const char *name)
{
    const char *text = json_string_value(json_object_get(entry, name));
    return text ? text : "";
}
