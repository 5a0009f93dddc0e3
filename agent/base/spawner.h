/*
 * A process of our own that starts programs for us when we ourselves may not any more: forked while we are simple (no threads, no secrets,
 * no sandbox, which children would inherit), it holds one socket to us, our standard output and error, and what its chooser knows. What it
 * executes, the chooser says, which runs in that process: we can only ask.
 */
#ifndef EXEAT_BASE_SPAWNER_H
#define EXEAT_BASE_SPAWNER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/span.h"

#define SPAWNER_REQUEST_MAX ((size_t)64 << 10) /* bytes */

struct spawner {
    pid_t pid; /* 0: not started */
    int fd;
};

struct spawner_program {
    const char *path;
    char *const *argv;
};

struct spawner_rules {
    const char *name; /* of the process, for ps: 15 bytes at most */
    /* What to execute for this request; false: nothing. Runs in the spawner. */
    bool (*choose)(void *owner, struct span request, struct spawner_program *out);
    void *owner;
    int place; /* the number under which the program finds the descriptor that came with the request */
    /* It gets a process group of its own, which is killed when its asker hangs up without a word. Otherwise processes that outlive it are
       buried by the spawner, for there may be no init that does. */
    bool group;
    unsigned patience_ms; /* when we are gone: how long the programs may take to end by themselves */
};

/* Before the first thread. The process ends when we do, and when spawner_stop is called. */
bool spawner_start(struct spawner *s, const struct spawner_rules *rules, struct err *e);
void spawner_stop(struct spawner *s);
/* The same, and waits for its end, and so for that of its programs. */
void spawner_end(struct spawner *s);
/* After news of its end: buries it, if it has ended. */
void spawner_bury(struct spawner *s);

/* Asks for one program, which gets `fd` (a copy). Returns the line on which news of it comes, the caller's to close; -1 with errno. Any
   thread; does not block. */
int spawner_ask(const struct spawner *s, struct span request, int fd);

/* News of one program: that it was started or could not be, then that it has ended. */
struct spawner_word {
    int32_t error; /* errno: it could not be started; EPERM: the chooser said no */
    int32_t pid;
    int32_t ended;       /* bool: and so, */
    int32_t exit_status; /* or */
    int32_t signal;      /* if not 0 */
};
/* 1: a word; 0: none is there now; -1: there will be none any more. Does not block. */
int spawner_hear(int line, struct spawner_word *word);
/* Hangs up; what the program's group still does is well. (Closing the line hangs up without a word.) */
void spawner_let_go(int line);

#endif
