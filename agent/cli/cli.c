/*
 * The command line as a whole: which verbs there are, and the way from argv to the verb that runs. One
 * thread.
 */
#include <string.h>

#include "base/nearest.h"
#include "cli/say.h"
#include "cli/verb.h"

const struct verb *const cli_verbs[] = {
    &run_verb,    &check_verb,    &login_verb, &logout_verb, &accept_verb, &status_verb,  &route_verb,
    &doctor_verb, &reload_verb,   &on_verb,    &off_verb,    &stop_verb,   &connect_verb, &token_verb,
    &env_verb,    &exec_verb,     &apps_verb,  &import_verb, &setup_verb,  &watch_verb,   &log_verb,
    &users_verb,  &practice_verb, &help_verb,  NULL,
};

static const struct verb_option program_options[] = {
    {"version", 0, NULL, "show the version"},
    {0},
};

const struct verb cli_program = {
    .name = "exeat",
    .arguments = "",
    .summary = "Local proxy-authentication agent",
    .help = "exeat lets programs out through a proxy that asks for a password. The programs talk to exeat on "
            "this machine and need no password; "
            "exeat passes their requests to the proxy and signs in there for you.",
    .options = program_options,
};

const struct verb *verb_named(const char *name)
{
    for (const struct verb *const *v = cli_verbs; *v; v++)
        if (strcmp((*v)->name, name) == 0)
            return *v;
    return NULL;
}

static int unknown_verb(const char *name)
{
    struct nearest near;
    nearest_begin(&near, span_str(name));
    for (const struct verb *const *v = cli_verbs; *v; v++)
        nearest_offer(&near, (*v)->name);
    if (near.name)
        return say_error(EXIT_USAGE, "there is no verb \"%s\": did you mean \"exeat %s\"?", name, near.name);
    return say_error(EXIT_USAGE, "there is no verb \"%s\": \"exeat help\" lists them", name);
}

static int run_verb_row(const struct verb *verb, int argc, char **argv, const struct verb_context *context)
{
    struct verb_call call;
    struct err e = {0};
    if (!verb_parse(verb, argc, argv, verb->first_word_ends, &call, &e))
        return say_failure(&e);
    call.context = context;
    if (call.help) {
        verb_help(stdout, verb);
        return EXIT_DONE;
    }
    return verb->run(&call);
}

static int run_command_line(int argc, char **argv, const struct verb_context *context)
{
    struct verb_call program;
    struct err e = {0};
    if (!verb_parse(&cli_program, argc, argv, true, &program, &e))
        return say_failure(&e);
    if (program.help) {
        program_help(stdout);
        return EXIT_DONE;
    }
    if (verb_given(&program, "version")) {
        puts("exeat " EXEAT_VERSION);
        return EXIT_DONE;
    }
    if (program.n_words == 0) {
        program_help(stderr);
        return EXIT_USAGE;
    }
    const struct verb *verb = verb_named(program.words[0]);
    return verb ? run_verb_row(verb, (int)program.n_words, program.words, context)
                : unknown_verb(program.words[0]);
}

int cli_main(int argc, char **argv, const struct verb_context *context)
{
    return say_finish(run_command_line(argc, argv, context));
}
