/*
 * What the files of an ask do to it, for each other: ask.c has its states, its legs and its connections, ask_verdict.c the keyholder's word. Nobody else's.
 */
#ifndef EXEAT_UPSTREAM_ASK_INSIDE_H
#define EXEAT_UPSTREAM_ASK_INSIDE_H

#include "upstream/ask.h"

/* The one door for changes of the state. */
void ask_move(struct ask *a, enum ask_state to);
void ask_fail(struct ask *a, enum page_cause cause, struct span why, struct span remedy);
void ask_end(struct ask *a, const struct ask_failure *failure);
/* The connection is of no more use; what was learned on it helps the next. */
void ask_begin_again(struct ask *a);
/* The next head goes out: the request's, or a knock's. */
void ask_send_leg(struct ask *a);
/* Nothing stands against the answer that has come: it is the owner's, or the knock's and dropped. */
void ask_go_on(struct ask *a);
/* May the request go out a second time though an answer to it was lost? */
bool ask_may_repeat(const struct ask *a);

/* A connection is there: does anything go with the request? */
void verdict_prepare(struct ask *a);
/* The 407's body is gone. */
void verdict_challenged(struct ask *a);
/* The credentials were taken; where they said so (KEYS_FINAL), the proxy has to prove itself before anything of its answer is used. */
void verdict_taken(struct ask *a);

#endif
