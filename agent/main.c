/*
 * exeat: one program for the agent and for every verb that a person types. The verbs stand below and may not
 * see the agent: it is lent to them.
 */
#include "agent.h"
#include "base/log.h"
#include "cli/verb.h"

int main(int argc, char **argv)
{
    static const struct verb_context context = {.agent_run = agent_run};
    log_start("exeat");
    return cli_main(argc, argv, &context);
}
