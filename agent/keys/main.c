/*
 * exeat-keys, the keyholder: the only program that sees passwords and tickets. Started by the agent, with a socket as descriptor 3; ends when
 * that is closed. It reads the configuration itself, so that the agent cannot tell it what to run or whom to trust.
 */
#include <locale.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "keys/accept.h"
#include "keys/context.h"
#include "keys/hash_user.h"
#include "keys/login.h"
#include "keys/serve.h"
#include "keys/provider.h"
#include "keys/work.h"

#define AGENT_FD 3

enum { EXIT_USAGE = 2 };

struct arguments {
    const char *config;
    bool socket;
};

/* -1: go on; else the exit status. */
static int read_arguments(struct arguments *a, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"no-socket", no_argument, NULL, 'n'},
        {"hash-user", no_argument, NULL, 'u'},    {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},         {0}};
    *a = (struct arguments){.socket = true};
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (o) {
        case 'c':
            a->config = optarg;
            break;
        case 'n':
            a->socket = false;
            break;
        case 'u':
            secret_start();
            return hash_user();
        case 'V':
            puts("exeat-keys " EXEAT_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            puts("exeat-keys [--config FILE] [--no-socket]\nexeat-keys --hash-user\n"
                 "Holds passwords and tickets for exeat, which starts it with a socket as descriptor 3.");
            return EXIT_SUCCESS;
        default:
            return EXIT_USAGE;
        }
    }
    return -1;
}

/* So that no command that we run inherits the conversation. */
static bool take_agent_socket(void)
{
    struct stat st;
    return fstat(AGENT_FD, &st) == 0 && S_ISSOCK(st.st_mode) && fcntl(AGENT_FD, F_SETFD, FD_CLOEXEC) == 0 &&
           fcntl(AGENT_FD, F_SETFL, O_NONBLOCK) == 0;
}

/* Caches of tickets can be files anywhere, and in the kernel's keyrings. */
static void enter_sandbox(void)
{
    struct sandbox_wish wish = {.keyrings = true, .files = true};
    struct sandbox_state state = sandbox_enter(&wish);
    struct buf words = {0};
    sandbox_describe(&state, &words);
    log_debug(NULL, "the keyholder %s", buf_cstr(&words));
    buf_free(&words);
}

static bool start(struct keyholder *k, const struct arguments *a, struct err *e)
{
    struct err state_error = {0};
    char *path = NULL;
    *k = (struct keyholder){.config_path = a->config, .one_errand = !a->socket};
    list_init(&k->identities);
    list_init(&k->guards);
    deadlines_init(&k->deadlines);
    k->config = config_load(a->config, e);
    if (!k->config)
        return false;
    log_set_level(a->socket ? k->config->log_level
                            : LOG_LEVEL_WARNING); /* a verb says in its own words how it went */
    if (!command_start(a->config, k->config, &state_error))
        log_warning(NULL, "no command for a password can be run: %s", state_error.text);
    char *state = config_state_dir(&state_error);
    if (!state)
        log_warning(NULL, "%s: refused passwords and accepted schemes are forgotten at a restart",
                    state_error.text);
    marks_open(&k->marks, state);
    floors_open(&k->floors, state);
    free(state);
    contexts_start(k);
    accepts_start(k);
    if (a->socket) {
        char *directory = config_runtime_dir(e);
        if (!directory || asprintf(&path, "%s/keys", directory) < 0)
            return false;
        free(directory);
    }
    bool good = serve_start(k, AGENT_FD, path, e);
    free(path);
    if (good) {
        enter_sandbox();
        identities_sync(k);
    }
    return good;
}

static void stop(struct keyholder *k)
{
    work_stop();
    serve_stop(k);
    login_stop(k);
    accepts_free(k);
    contexts_free(k);
    identities_free(k);
    while (!list_empty(&k->guards))
        guard_unref(list_entry(k->guards.next, struct guard, node));
    marks_close(&k->marks);
    floors_close(&k->floors);
    ration_free(&k->ration);
    config_unref(k->config);
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct keyholder k;
    struct err e = {0};

    log_start("exeat-keys");
    setlocale(LC_CTYPE, "C.UTF-8"); /* as gss-ntlmssp compares names; ours are UTF-8 wherever we are */
    int status = read_arguments(&arguments, argc, argv);
    if (status >= 0)
        return status;
    if (!take_agent_socket()) {
        log_error(NULL, "exeat-keys is started by exeat, with a socket as descriptor 3");
        return EXIT_USAGE;
    }
    secret_start();
    if (!start(&k, &arguments, &e)) {
        log_error(NULL, "%s", e.text);
        return EXIT_FAILURE;
    }
    status = serve_run(&k);
    command_end_all();
    /* A thread that is stuck in a library must not see the house taken down around it. */
    if (!work_idle()) {
        fflush(NULL);
        _exit(status);
    }
    stop(&k);
    return status;
}
