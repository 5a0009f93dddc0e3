/*
 * exeat env and exeat exec: the environment that points programs at the agent, for a shell and for one command.
 */
#include <errno.h>
#include <unistd.h>

#include "cli/find_aim.h"
#include "cli/say.h"
#include "cli/shell.h"
#include "cli/verb.h"

#define EXIT_NOT_EXECUTABLE 126 /* as shells have it */
#define EXIT_NO_COMMAND     127

/* On standard error, so that eval does not see it; only for somebody who reads along. */
static void tell_left_out(const struct aim *t)
{
    if (!t->n_left_out || !isatty(STDERR_FILENO))
        return;
    struct buf list = {0};
    for (size_t i = 0; i < t->n_left_out; i++)
        buf_addf(&list, "%s%s", i ? ", " : "", t->left_out[i]);
    fprintf(stderr, "exeat: no_proxy cannot say this, so exeat itself goes direct there: ");
    say_clean(stderr, buf_span(&list));
    fputc('\n', stderr);
    buf_free(&list);
}

static int set(const struct verb_call *call, const struct shell *shell)
{
    struct found_aim f;
    struct err e = {0};
    struct buf out = {0};
    bool ok = find_aim(&f, verb_value(call, "proxy"), verb_value(call, "config"), &e);
    if (ok) {
        shell_set(shell, &f.aim, &out);
        tell_left_out(&f.aim);
        fwrite(out.p, 1, out.n, stdout);
    }
    buf_free(&out);
    found_aim_free(&f);
    return ok ? EXIT_DONE : say_failure(&e);
}

static int undo(const struct shell *shell)
{
    struct buf out = {0};
    if (!shell_undo(shell, &out))
        return say_error(EXIT_FAILED,
                         "there is nothing to undo: \"exeat env\" has set nothing in this environment");
    fwrite(out.p, 1, out.n, stdout);
    buf_free(&out);
    return EXIT_DONE;
}

static int run(const struct verb_call *call)
{
    struct err e = {0};
    const struct shell *shell = shell_named(verb_value(call, "shell"), &e);
    if (!shell)
        return say_failure(&e);
    return verb_given(call, "undo") ? undo(shell) : set(call, shell);
}

static int run_exec(const struct verb_call *call)
{
    struct found_aim f;
    struct err e = {0};
    if (call->n_words == 0)
        return say_error(EXIT_USAGE, "which command? For example: exeat exec -- curl https://www.example/");
    bool ok = find_aim(&f, verb_value(call, "proxy"), verb_value(call, "config"), &e);
    if (ok)
        environment_set(&f.aim);
    found_aim_free(&f);
    if (!ok)
        return say_failure(&e);
    execvp(call->words[0], call->words);
    int number = errno;
    err_errno(&e, ERR_SYSTEM, number, "%s cannot be run", call->words[0]);
    say_failure(&e);
    return number == ENOENT ? EXIT_NO_COMMAND : EXIT_NOT_EXECUTABLE;
}

static const struct verb_option env_options[] = {
    {"shell", 's', "NAME", "for sh, bash, zsh, fish or pwsh, not who asks"},
    {"undo", 'u', NULL, "put back what was there before"},
    {"proxy", 'p', "URL", "this address, instead of the agent's own"},
    {"config", 'c', "FILE", "the address that FILE has, not the agent's own"},
    {0},
};

const struct verb env_verb = {
    .name = "env",
    .arguments = "",
    .summary = "Print the environment that points programs at exeat",
    .help =
        "Prints statements for a shell that set http_proxy, https_proxy and no_proxy, in both letter cases, "
        "to "
        "the running agent (without one: to where the configuration says that it listens):\n"
        "\n"
        "    eval \"$(exeat env)\"                    sh, bash, zsh\n"
        "    exeat env | source                     fish\n"
        "    exeat env -s pwsh | Out-String | iex   PowerShell\n"
        "\n"
        "With --undo, statements that put back what was there before, which is kept in EXEAT_ENV_BEFORE.\n"
        "\n"
        "no_proxy has this machine and what [route] no-proxy has; patterns with a port or with stars inside, "
        "and <local>, have no form that programs understand: there exeat itself goes direct. all_proxy is "
        "not "
        "touched.",
    .options = env_options,
    .run = run,
};

static const struct verb_option exec_options[] = {
    {"proxy", 'p', "URL", "this address, instead of the agent's own"},
    {"config", 'c', "FILE", "the address that FILE has, not the agent's own"},
    {0},
};

const struct verb exec_verb = {
    .name = "exec",
    .arguments = "[--] COMMAND...",
    .max_words = (size_t)-1,
    .first_word_ends = true,
    .summary = "Run one command in that environment",
    .help =
        "Runs COMMAND with the variables that \"exeat env\" sets, in place of this process: its exit code is "
        "the command's own. 127: there is no such command; 126: it cannot be run.",
    .options = exec_options,
    .run = run_exec,
};
