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
#include "config/paths.h"

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

bool new_config_write(const char *path, struct span text, bool force, struct err *e)
{
    struct file f = {0};
    struct buf made = {0};
    bool good = file_make_folders(path, 0700, &made, e) && file_read(&f, path, NULL, e);
    good = good && is_free(&f, force, e) && file_write(&f, text, 0600, e);
    file_free(&f);
    buf_free(&made);
    return good;
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
