/*
 * exeat stop: tells the agent to end, and waits until its process has gone.
 */
#include "cli/ask_agent.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/verb.h"

#define END_PATIENCE_MS 30000u
#define DRAIN_MOST_S    3600

static bool stop(struct control_link *l, struct err *e)
{
    json_t *answer = question_agent(l, "stop", e);
    if (!answer)
        return false;
    json_int_t drain = json_integer_value(json_object_get(answer, "drain")); /* seconds */
    json_decref(answer);
    unsigned more = drain > 0 && drain < DRAIN_MOST_S ? (unsigned)drain * 1000 : 0;
    progress_begin("waiting for the agent's last requests");
    bool ended = control_wait_end(l, END_PATIENCE_MS + more, e);
    progress_end();
    return ended;
}

static int run(const struct verb_call *call)
{
    (void)call;
    struct err e = {0};
    struct control_link *l = open_agent(&e);
    if (!l)
        return say_failure(&e);
    bool stopped = stop(l, &e);
    control_close(l);
    if (!stopped)
        return say_failure(&e);
    puts("The agent has stopped.");
    return EXIT_DONE;
}

const struct verb stop_verb = {
    .name = "stop",
    .arguments = "",
    .summary = "Stop the running agent",
    .help =
        "Tells the agent to end and waits until it has gone. It takes no more connections; requests that "
        "are being answered, and tunnels, may go on for a few seconds (drain in [listen]). Asked a second "
        "time, it ends at once.",
    .run = run,
};
