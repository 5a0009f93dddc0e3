/*
 * exeat run: the agent itself, in the foreground. The floor above lends the function that runs it.
 */
#include "cli/say.h"
#include "cli/verb.h"
#include "config/config.h"

static int print_config(const char *path)
{
    struct err e = {0};
    struct config *c = config_load(path, &e);
    if (!c)
        return say_failure(&e);
    struct buf text;
    buf_init(&text, 0);
    config_print(c, &text);
    say_clean(stdout, buf_span(&text));
    buf_free(&text);
    config_unref(c);
    return EXIT_DONE;
}

static int run(const struct verb_call *call)
{
    const char *path = verb_value(call, "config");
    return verb_given(call, "print-config") ? print_config(path) : call->context->agent_run(path);
}

static const struct verb_option options[] = {
    {"config", 'c', "FILE", "read FILE instead of the usual place"},
    {"print-config", 0, NULL, "show the settings and where each comes from"},
    {0},
};

const struct verb run_verb = {
    .name = "run",
    .arguments = "",
    .summary = "Start the agent in the foreground",
    .help = "Listens where the configuration says (127.0.0.1:3128 unless it says otherwise) and passes what "
            "programs ask for to the proxy. Stop it "
            "with Ctrl-C or \"exeat stop\".\n"
            "\n"
            "The configuration is $XDG_CONFIG_HOME/exeat/exeat.conf (usually ~/.config/exeat/exeat.conf), "
            "else /etc/exeat/exeat.conf. "
            "Without either, the proxy is taken from the environment: EXEAT_UPSTREAM, else https_proxy or "
            "http_proxy.\n"
            "\n"
            "Point programs at it like this:\n"
            "\n"
            "    export https_proxy=http://127.0.0.1:3128 http_proxy=http://127.0.0.1:3128",
    .options = options,
    .run = run,
};
