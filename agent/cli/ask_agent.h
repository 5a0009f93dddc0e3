/*
 * One question to the running agent, for the verbs that have no more to it than that.
 */
#ifndef EXEAT_CLI_ASK_AGENT_H
#define EXEAT_CLI_ASK_AGENT_H

#include "control/client.h"

/* How long the agent may take: longer than it waits for its own keyholder. */
#define AGENT_PATIENCE_MS 40000u

/* {"verb": verb} to the agent at our control socket; the answer is the caller's. NULL with *e. */
json_t *ask_agent(const char *verb, struct err *e);

/* The same in two steps, to go on with the link. */
struct control_link *open_agent(struct err *e);
json_t *question_agent(struct control_link *l, const char *verb, struct err *e);
/* Any question; not taken over. Says on a terminal that it waits, when it does. */
json_t *ask_question(struct control_link *l, json_t *question, struct err *e);

#endif
