/*
 * exeat reload: the agent reads its configuration again; when that is wrong it goes on with the old one, and
 * says so.
 */
#include "cli/ask_agent.h"
#include "cli/say.h"
#include "cli/verb.h"

static int run(const struct verb_call *call)
{
    (void)call;
    struct err e = {0};
    json_t *answer = ask_agent("reload", &e);
    if (!answer) {
        int code = say_failure(&e);
        return e.code == ERR_REFUSED ? EXIT_CONFIG : code; /* all that it can refuse is a configuration */
    }
    puts("The agent has read its configuration again.");
    json_decref(answer);
    return EXIT_DONE;
}

const struct verb reload_verb = {
    .name = "reload",
    .arguments = "",
    .summary = "Have the running agent read its configuration again",
    .help = "The agent reads its configuration again and uses it for new requests; those under way end as "
            "they began. When the configuration is "
            "wrong, the agent says why and keeps the one it has.",
    .run = run,
};
