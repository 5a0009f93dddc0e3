/*
 * The control socket, $XDG_RUNTIME_DIR/exeat/control: one JSON object per line in, one per line out (mode
 * 0600, and the peer's uid must be ours or root's). The room knows the wire, not the agent: each verb is a
 * row of the caller's table. Runs on the loop.
 *
 * A question is {"verb": "status", ...}; an answer {"ok": true, ...} or {"ok": false, "error": "sentence",
 * "remedy": "sentence"}.
 */
#ifndef EXEAT_CONTROL_SERVER_H
#define EXEAT_CONTROL_SERVER_H

#include <jansson.h>

#include "net/listen.h"

struct control_server;
struct control_call; /* one question that waits for its answer; may be answered later */

struct control_verb {
    const char *name;
    void (*run)(void *owner, struct control_call *call, json_t *question);
};

/* `verbs` ends with a NULL name. Fails when another agent answers on that socket. */
struct control_server *control_server_start(struct loop *loop, const char *path,
                                            const struct control_verb *verbs, void *owner, struct err *e);
void control_server_stop(struct control_server *s);

/* Exactly one of these per call, now or later; takes over `answer` ("ok": true is added). Harmless when the
 * asker has gone. */
void control_answer(struct control_call *call, json_t *answer);
void control_refuse(struct control_call *call, const char *error, const char *remedy);

/* Answers, and from then on the asker is told each line of control_tell until it goes; it may ask no more. Refuses by itself where there are too many of them. */
void control_watch(struct control_call *call, json_t *answer);
bool control_is_watched(const struct control_server *s);
/* One JSON object, without a newline, to all who watch. Who does not read has CONTROL_BEHIND_MOST bytes kept for him; lines beyond that are counted, and he
   is told {"event":"missed","lines":N} when he reads again. Never waits. */
#define CONTROL_BEHIND_MOST ((size_t)256 << 10)
#define CONTROL_WATCHERS    16
void control_tell(struct control_server *s, struct span line);

#endif
