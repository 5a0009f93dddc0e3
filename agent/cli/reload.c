/*
 * exeat reload: the agent reads its configuration again; when that is wrong it goes on with the old one, and
 * says so.
 */
#include "cli/ask_agent.h"
#include "cli/say.h"
#include "cli/verb.h"

static void show(const char *change)
{
    struct buf line = {0};
    buf_addf(&line, "  %s\n", change ? change : "?");
    say_clean(stdout, buf_span(&line));
    buf_free(&line);
}

static int run(const struct verb_call *call)
{
    (void)call;
    struct err e = {0};
    json_t *answer = ask_agent("reload", &e);
    if (!answer) {
        int code = say_failure(&e);
        return e.code == ERR_REFUSED ? EXIT_CONFIG : code; /* all that it can refuse is a configuration */
    }
    json_t *changes = json_object_get(answer, "changes"), *change;
    size_t i;
    printf("The agent has read its configuration again%s\n", json_array_size(changes) ? ":"
                                                             : changes ? "; no setting differs."
                                                                       : ".");
    json_array_foreach(changes, i, change) show(json_string_value(change));
    json_decref(answer);
    return EXIT_DONE;
}

const struct verb reload_verb = {
    .name = "reload",
    .arguments = "",
    .summary = "Have the running agent read its configuration again",
    .help = "The agent reads its configuration again and uses it for new requests; those under way end as "
            "they began. It says which settings "
            "differ. When the configuration is wrong, the agent says why and keeps the one it has.",
    .run = run,
};
