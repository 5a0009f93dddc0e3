/*
 * A helper program of ours, joined to us by a socket pair: it finds its end as descriptor 3. Standard input is /dev/null, output and
 * errors are ours. It ends when we close our end, or by itself.
 */
#ifndef EXEAT_NET_CHILD_H
#define EXEAT_NET_CHILD_H

#include "net/stream.h"

struct child;
struct starter;

/* exit_status 127 without a signal: it could not be started after all; the log says why. */
typedef void (*child_ended_fn)(void *owner, int exit_status, int signal);

/* `arguments` ends with NULL; its first is the program's path. *talk is the stream to it and belongs to the caller. NULL with *e when it cannot be started. */
struct child *child_start(struct loop *loop, char *const *arguments, struct stream **talk,
                          child_ended_fn ended, void *owner, struct err *e);
/* The same through a starter, for those who may execute nothing any more. */
struct child *starter_start(struct starter *s, struct stream **talk, child_ended_fn ended, void *owner,
                            struct err *e);
pid_t child_pid(const struct child *c); /* 0: not known yet */
/* Ends it at once, whatever it is doing, and forgets it. Of a starter's programs only those of STARTER_KILLS. */
void child_kill(struct child *c);
/* No more news of it; it is not ended by this (closing the stream tells it to), and its end is still waited for. */
void child_forget(struct child *c, child_ended_fn last_words); /* NULL: none; called without an owner */
/* For our own end: not even that. */
void child_abandon(struct child *c);

/* A process of ours that starts this one program with these arguments, which are settled now, whenever we ask (base/spawner.h). Before the first
   thread. It ends with us; a program of STARTER_WAITS that has not ended of itself five seconds later is killed. */
enum starter_way {
    STARTER_WAITS,
    STARTER_KILLS, /* its programs, with all that they have started, are ended by child_kill, and with us at once */
};
struct starter *starter_new(struct loop *loop, char *const *arguments, enum starter_way way, struct err *e);
void starter_free(struct starter *s); /* its children are abandoned first */

#endif
