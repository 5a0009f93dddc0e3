/*
 * Once everything is up the agent gives up what it does not need any more (base/sandbox.h): the keyholder is started by another process,
 * its log is a descriptor, and the only files that it makes and removes are its sockets and its copies of PAC scripts. Where those may be is settled
 * here.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent.h"
#include "base/log.h"

/* In its one form, without links and dots; NULL: there is no such folder. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/'); /* there is one: paths are absolute */
    char *written = span_dup(span_make(path, slash == path ? 1 : (size_t)(slash - path)));
    char *folder = realpath(written, NULL);
    free(written);
    return folder;
}

static ino_t inode_of(const char *folder)
{
    struct stat st;
    return stat(folder, &st) == 0 ? st.st_ino : 0;
}

/* It, or one that it is in. */
static bool is_open(const struct agent *a, const char *folder)
{
    for (size_t i = 0; i < a->n_open_folders; i++) {
        size_t n = strlen(a->open_folders[i]);
        if (strncmp(a->open_folders[i], folder, n) == 0 && (n == 1 || !folder[n] || folder[n] == '/'))
            return true;
    }
    return false;
}

/* Takes the text over. */
static void leave_open(struct agent *a, char *folder)
{
    if (!folder || is_open(a, folder)) {
        free(folder);
        return;
    }
    a->open_folders = mem_grow(a->open_folders, (a->n_open_folders + 1) * sizeof *a->open_folders);
    a->open_folders[a->n_open_folders++] = folder;
}

static void leave_open_for(struct agent *a, const struct config_address *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].path)
            leave_open(a, folder_of(list[i].path));
}

void agent_confine(struct agent *a)
{
    struct err e;
    struct buf words = {0};
    char *runtime = config_runtime_dir(&e); /* where the control socket is */
    leave_open(a, runtime ? realpath(runtime, NULL) : NULL);
    free(runtime);
    leave_open_for(a, a->config->listen, a->config->n_listen);
    leave_open_for(a, a->config->socks, a->config->n_socks);
    for (size_t i = 0; i < a->config->n_forwards; i++)
        leave_open_for(a, a->config->forwards[i].listen, a->config->forwards[i].n_listen);
    for (size_t i = 0; i < a->config->n_gateways; i++)
        leave_open_for(a, a->config->gateways[i].listen, a->config->gateways[i].n_listen);
    leave_open_for(a, a->config->metrics, a->config->n_metrics);
    a->log_folder = a->config->log_file ? folder_of(a->config->log_file) : NULL;
    a->log_inode = a->log_folder ? inode_of(a->log_folder) : 0;
    struct sandbox_wish wish = {.serves = true,
                                .directories = (const char *const *)a->open_folders,
                                .n = a->n_open_folders,
                                .writable = pac_ground_folder(a->pac_ground),
                                .log = a->log_folder};
    a->sandbox = sandbox_enter(&wish);
    sandbox_describe(&a->sandbox, &words);
    log_debug(NULL, "the agent %s", buf_cstr(&words));
    buf_free(&words);
}

void agent_unconfine(struct agent *a)
{
    for (size_t i = 0; i < a->n_open_folders; i++)
        free(a->open_folders[i]);
    free(a->open_folders);
    free(a->log_folder);
}

void agent_explain_listen(const void *owner, const char *path, struct err *e)
{
    const struct agent *a = owner;
    if (!path || !a->sandbox.landlock)
        return;
    struct err why = *e;
    char *folder = folder_of(path);
    if (folder && !is_open(a, folder))
        err_set(e, ERR_SYSTEM,
                "%s (once it runs, the agent makes sockets only in folders that it listened in at its start: "
                "stop it and "
                "start it again)",
                why.text);
    free(folder);
}

void agent_explain_log(const struct agent *a, const char *path, struct err *e)
{
    if (!a->sandbox.landlock)
        return;
    struct err why = *e;
    char *folder = folder_of(path);
    if (folder && (!a->log_folder || strcmp(folder, a->log_folder) != 0 || inode_of(folder) != a->log_inode))
        err_set(
            e, ERR_SYSTEM,
            "%s (once it runs, the agent makes files only in the directory where its log of requests was at "
            "its start: stop it and start it again)",
            why.text);
    free(folder);
}
