/*
 * Where the configuration comes from: the file that was named, else the user's, else the machine's, else the
 * environment. One thread; the result is immutable.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "config/paths.h"
#include "config/whole.h"

static struct config *finish(struct config_whole *w, bool ok, const char *file, struct err *e)
{
    if (ok && whole_complete(w, file, e)) {
        w->c.file = mem_strdup(file);
        return &w->c;
    }
    config_unref(&w->c);
    return NULL;
}

static struct config *load_file(const char *path, struct err *e)
{
    struct config_whole *w = whole_new();
    return finish(w, whole_read_file(w, path, e), path, e);
}

struct config *config_load_text(const char *name, struct span text, struct err *e)
{
    struct config_whole *w = whole_new();
    return finish(w, whole_read_text(w, name, text, e), name, e);
}

/* Nothing there; anything else that keeps us from reading a file is an error when it is opened. */
static bool is_absent(const char *path)
{
    return access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

static bool nothing_found(const char *user_file, const char *skipped, struct err *e)
{
    return err_set(e, ERR_CONFIG,
                   "no proxy is configured: there is neither a configuration file nor EXEAT_UPSTREAM, "
                   "https_proxy or http_proxy%s%s%s. "
                   "Write into %.160s:\n\n    [upstream corp]\n    proxy = http://proxy.corp.example:8080\n  "
                   "  user = CORP\\alice",
                   skipped ? " (" : "", skipped ? skipped : "",
                   skipped ? " points at this agent itself)" : "", user_file);
}

static struct config *load_environment(const char *user_file, struct err *e)
{
    struct config_whole *w = whole_new();
    const char *skipped;
    bool ok = whole_read_environment(w, &skipped, e);
    if (ok && w->c.n_upstreams == 0)
        ok = nothing_found(user_file, skipped, e);
    return finish(w, ok, NULL, e);
}

struct config *config_load(const char *path, struct err *e)
{
    if (path)
        return load_file(path, e);
    char *user_file = config_user_file(e);
    if (!user_file)
        return NULL;
    struct config *c;
    if (!is_absent(user_file))
        c = load_file(user_file, e);
    else if (!is_absent(CONFIG_SYSTEM_FILE))
        c = load_file(CONFIG_SYSTEM_FILE, e);
    else
        c = load_environment(user_file, e);
    free(user_file);
    return c;
}
