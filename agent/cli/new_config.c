/*
 * A first configuration on its way to the disk: never over another one unless that is asked for, never half. One thread.
 */
#include "cli/new_config.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "apps/file.h"
#include "cli/ask_agent.h"
#include "cli/login_alone.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "config/paths.h"

#define KEPT_MOST 99 /* files that stood there before */

char *new_config_path(const char *wanted, struct err *e)
{
    return wanted ? mem_strdup(wanted) : config_user_file(e);
}

static bool is_free(const struct file *f, bool force, struct err *e)
{
    return !f->existed || force ||
           err_set(e, ERR_CONFIG,
                   "%s is there already, and was left as it is\nWrite elsewhere with --output FILE, replace "
                   "it with --force, or look "
                   "first with --dry-run.",
                   f->path);
}

bool new_config_may(const char *path, bool force, struct err *e)
{
    struct file f = {0};
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return true;
    if (!file_read(&f, path, NULL, e))
        return false;
    bool good = is_free(&f, force, e);
    file_free(&f);
    return good;
}

/* Under a name that nothing has: PATH.old, PATH.old-2 ... */
static bool keep(const struct file *f, struct buf *kept, struct err *e)
{
    bool found = false;
    for (unsigned i = 1; i <= KEPT_MOST && !found; i++) {
        buf_clear(kept);
        buf_addf(kept, i > 1 ? "%s.old-%u" : "%s.old", f->path, i);
        found = access(buf_cstr(kept), F_OK) != 0 && errno == ENOENT;
    }
    struct file copy = {0};
    bool good =
        found ? file_read(&copy, buf_cstr(kept), NULL, e) && file_write(&copy, buf_span(&f->text), 0600, e)
              : err_set(e, ERR_CONFIG, "%s.old and %u more are there: delete some of them", f->path,
                        KEPT_MOST - 1);
    file_free(&copy);
    return good;
}

bool new_config_write(const char *path, struct span text, bool force, struct buf *kept, struct err *e)
{
    struct file f = {0};
    struct buf made = {0};
    bool good = file_make_folders(path, 0700, &made, e) && file_read(&f, path, NULL, e);
    good = good && is_free(&f, force, e) && (!kept || !f.existed || keep(&f, kept, e)) &&
           file_write(&f, text, 0600, e);
    file_free(&f);
    buf_free(&made);
    return good;
}

void new_config_say(const char *path, struct span kept)
{
    struct buf line = {0};
    buf_addf(&line, "%s is written.\n", path);
    if (kept.n)
        buf_addf(&line, "The one before is kept as %.*s.\n", SPAN_ARG(kept));
    say_clean(stdout, buf_span(&line));
    buf_free(&line);
}

bool new_config_agent_runs(void)
{
    struct control_link *l = open_agent(NULL);
    bool runs = l != NULL;
    control_close(l);
    return runs;
}

int new_config_login(const char *path, const char *upstream, const struct secret *secret)
{
    struct keys_msg login = {
        .type = KEYS_LOGIN, .call = 1, .upstream = span_str(upstream), .secret = secret_reveal(secret)};
    progress_begin("trying the password");
    int code = login_alone(path, &login);
    progress_end();
    return code;
}
