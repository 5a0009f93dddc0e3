/*
 * exeat stop: tells the agent to end, and waits until its process has gone.
 */
#include "cli/ask_agent.h"
#include "cli/say.h"
#include "cli/verb.h"

#define END_PATIENCE_MS 30000u

static bool stop(struct control_link *l, struct err *e)
{
    json_t *answer = question_agent(l, "stop", e);
    if (!answer)
        return false;
    json_decref(answer);
    return control_wait_end(l, END_PATIENCE_MS, e);
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
    .help = "Tells the agent to end and waits until it has gone. Connections that are open through it are "
            "closed.",
    .run = run,
};
