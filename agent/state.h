/*
 * How the agent stands, for programs that show it (exeat-tray): a number that grows with every change, and questions that wait for the next one.
 */
#ifndef EXEAT_STATE_H
#define EXEAT_STATE_H

#include "base/list.h"
#include "control/server.h"
#include "net/loop.h"

struct agent;

struct agent_state {
    uint64_t number;
    struct list waiters;
    size_t n_waiters;
    struct later tell;
};

void agent_state_start(struct agent *a);
void agent_state_changed(struct agent *a);
/* Adds to the answer of status. */
void agent_state_describe(const struct agent *a, json_t *answer);
/* Refuses those who wait: the agent is stopping. More than once is harmless. */
void agent_state_stop(struct agent *a);

/* {"verb": "state", "since": N, "pause": MS}: answered with the number as soon as it is another than N, not before MS milliseconds; and {"verb": "proxy", "on": true}. */
void agent_state_verb(void *owner, struct control_call *call, json_t *question);
void agent_proxy_verb(void *owner, struct control_call *call, json_t *question);

#endif
