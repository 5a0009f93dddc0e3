/*
 * The other end of the control socket, for verbs that a person types: blocking, with a time limit.
 */
#ifndef EXEAT_CONTROL_CLIENT_H
#define EXEAT_CONTROL_CLIENT_H

#include <jansson.h>

#include "base/err.h"

/* Asks one question and returns the answer object (the caller decrefs), or NULL: *e has ERR_GONE when no
   agent is running, ERR_REFUSED with the agent's own sentence (and its remedy in a second line) when it said no, else what went wrong.
   `question` is not taken over. */
json_t *control_ask(const char *path, json_t *question, unsigned timeout_ms, struct err *e);

/* The same in steps, for more than one question to the same agent. */
struct control_link;
struct control_link *control_open(const char *path, unsigned timeout_ms, struct err *e);
json_t *control_question(struct control_link *l, json_t *question, unsigned timeout_ms, struct err *e);
/* The next line that a watched agent tells, however long that takes; `raw` is it as it came, until the next call. NULL: ERR_GONE at the agent's end. */
struct span;
json_t *control_next(struct control_link *l, struct span *raw, struct err *e);
/* Waits until the process that answered on this link has ended. false: *e has ERR_TIMEOUT. */
bool control_wait_end(struct control_link *l, unsigned timeout_ms, struct err *e);
void control_close(struct control_link *l); /* NULL is allowed */

#endif
