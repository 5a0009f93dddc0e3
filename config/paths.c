/*
 * The directories that are the user's own: where our sockets live, where state is kept, where the
 * configuration is looked for (XDG Base Directory Specification). A directory of sockets that somebody else
 * could write to would let him take our place, so the last component must be a directory, no symbolic link,
 * ours, and closed to all others; else we do not start. Any thread, as long as none changes the environment.
 */
#include "config/paths.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "config/config.h"

/* A variable that holds an absolute path; the specification has others ignored. */
static const char *directory_variable(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] == '/' ? value : NULL;
}

static char *join(const char *directory, const char *rest)
{
    struct buf path;
    buf_init(&path, 0);
    buf_addf(&path, "%s%s", directory, rest);
    char *joined = mem_strdup(buf_cstr(&path));
    buf_free(&path);
    return joined;
}

char *config_home_dir(struct err *e)
{
    const char *home = directory_variable("HOME");
    if (home)
        return mem_strdup(home);
    size_t room = 1024;
    for (;;) {
        char *text = mem_alloc(room);
        struct passwd entry, *found = NULL;
        int rc = getpwuid_r(geteuid(), &entry, text, room, &found);
        char *copy = found && found->pw_dir[0] == '/' ? mem_strdup(found->pw_dir) : NULL;
        free(text);
        if (copy)
            return copy;
        if (rc != ERANGE || room > ((size_t)1 << 20)) {
            err_set(e, ERR_SYSTEM, "there is no home directory; set HOME");
            return NULL;
        }
        room *= 2;
    }
}

/* $VARIABLE`rest`, else ~`fallback``rest`. */
static char *in_home(const char *variable, const char *fallback, const char *rest, struct err *e)
{
    const char *base = directory_variable(variable);
    if (base)
        return join(base, rest);
    char *home = config_home_dir(e);
    if (!home)
        return NULL;
    char *directory = join(home, fallback);
    char *path = join(directory, rest);
    free(home);
    free(directory);
    return path;
}

char *config_user_file(struct err *e)
{
    return in_home("XDG_CONFIG_HOME", "/.config", "/exeat/exeat.conf", e);
}

static bool check_private(const char *path, struct err *e)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return err_errno(e, ERR_SYSTEM, errno, "cannot look at %s", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(e, ERR_SYSTEM, "%s is not a directory%s", path,
                       S_ISLNK(st.st_mode) ? " but a symbolic link" : "");
    if (st.st_uid != geteuid())
        return err_set(e, ERR_SYSTEM, "%s belongs to another user (%u)", path, (unsigned)st.st_uid);
    if (st.st_mode & 077)
        return err_set(e, ERR_SYSTEM, "%s is open to other users; chmod 700 it", path);
    return true;
}

/* Makes the directory, or checks the one that is there. *absent: it can be neither, for its parent is not
 * there or not for us. */
static bool make_private(const char *path, bool *absent, struct err *e)
{
    *absent = false;
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return check_private(path, e);
    *absent = errno == ENOENT || errno == EACCES || errno == ENOTDIR || errno == EROFS;
    return err_errno(e, ERR_SYSTEM, errno, "cannot make the directory %s", path);
}

/* Of the places that cannot be had the next one is tried; one that is there but not safe ends the search, as
 * it may be a trap. */
char *config_runtime_dir(struct err *e)
{
    const char *base = directory_variable("XDG_RUNTIME_DIR");
    char run[64], tmp[64];
    snprintf(run, sizeof run, "/run/user/%u/exeat", (unsigned)geteuid());
    snprintf(tmp, sizeof tmp, "/tmp/exeat-%u", (unsigned)geteuid());
    char *places[] = {base ? join(base, "/exeat") : NULL, mem_strdup(run), mem_strdup(tmp)};
    char *found = NULL;
    bool absent = true;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (places[i] && absent && !found && make_private(places[i], &absent, e))
            found = places[i];
        else
            free(places[i]);
    }
    return found;
}

/* Makes the directories above the last component, 0700 as the specification asks. What goes wrong shows when
 * the last one is made. */
static void make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
}

char *config_state_dir(struct err *e)
{
    char *path = in_home("XDG_STATE_HOME", "/.local/state", "/exeat", e);
    if (!path)
        return NULL;
    make_parents(path);
    bool absent;
    if (make_private(path, &absent, e))
        return path;
    free(path);
    return NULL;
}
