/*
 * The file of a trial: in the runtime directory, where it is gone with the session at the latest. One thread.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/new_config.h"
#include "cli/setup.h"
#include "config/config.h"

#define TRIAL_FILE "setup.conf"

static char trial_path[512]; /* what has to go when a signal ends us */

static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static void remove_trial(int number)
{
    unlink(trial_path);
    signal(number, SIG_DFL);
    raise(number);
}

const char *trial_begin(struct span text, struct err *e)
{
    char *directory = config_runtime_dir(e);
    if (!directory)
        return NULL;
    int n = snprintf(trial_path, sizeof trial_path, "%s/" TRIAL_FILE, directory);
    free(directory);
    if (n >= (int)sizeof trial_path) {
        err_set(e, ERR_CONFIG, "the path of XDG_RUNTIME_DIR is too long");
        return NULL;
    }
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        signal(ends[i], remove_trial);
    return new_config_write(trial_path, text, true, NULL, e) ? trial_path : NULL;
}

void trial_end(void)
{
    unlink(trial_path);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        signal(ends[i], SIG_DFL);
}
