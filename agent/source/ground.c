/*
 * Made while the agent may still do everything: a folder, and a process that can start a program later.
 */
#include "source/ground.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"

static char *make_folder(struct err *e)
{
    char *state = config_state_dir(e);
    struct buf path = {0};
    if (!state)
        return NULL;
    buf_addf(&path, "%s/pac", state);
    free(state);
    struct stat st;
    char *folder = NULL;
    if (mkdir(buf_cstr(&path), 0700) != 0 && errno != EEXIST)
        err_errno(e, ERR_SYSTEM, errno, "cannot make the directory %s", buf_cstr(&path));
    else if (lstat(buf_cstr(&path), &st) != 0 || !S_ISDIR(st.st_mode))
        err_set(e, ERR_SYSTEM, "%s is not a directory", buf_cstr(&path));
    else
        folder = mem_strdup(buf_cstr(&path));
    buf_free(&path);
    return folder;
}

struct pac_ground *pac_ground_new(struct loop *loop, const struct config *c)
{
    struct err e;
    struct pac_ground *g = mem_zero(sizeof *g);
    bool wanted = c->pac != PAC_FROM_NOWHERE;
    *g = (struct pac_ground){.loop = loop, .folder = make_folder(&e), .resolv_conf = "/etc/resolv.conf"};
    if (!g->folder && wanted)
        log_warning(NULL, "no copy of the PAC script is kept: %s", e.text);
    if (c->pac == PAC_FROM_SYSTEM && desktop_kind_here() == DESKTOP_GNOME) {
        g->starter = desktop_starter_new(loop, &e);
        if (!g->starter)
            log_warning(NULL, "GNOME's settings cannot be followed: %s", e.text);
    }
    return g;
}

void pac_ground_free(struct pac_ground *g)
{
    if (!g)
        return;
    starter_free(g->starter);
    free(g->folder);
    free(g);
}

const char *pac_ground_folder(const struct pac_ground *g)
{
    return g->folder;
}
