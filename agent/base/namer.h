/*
 * A small process of our own that finds out which program has a TCP socket. Only /proc/PID/fd tells, which has to be searched: that takes longer than the agent's
 * loop can wait, and one who is confined by Landlock may not look there at all. So it is forked before that, and it does nothing else: it has no descriptor
 * of ours but its end of a socket pair, and answers with the name of a process.
 *
 * It searches only processes of the user who made the socket, those first in which it found one before; all sockets that were asked for together are looked for
 * in one search; it stops after 50 ms of processor time, and rests nine times as long as it has searched: never more than a tenth of one processor. Some
 * are therefore not found: of programs that have ended, that may not be looked into, that came in too great a number.
 */
#ifndef EXEAT_BASE_NAMER_H
#define EXEAT_BASE_NAMER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Each question has one answer, in any order. */
struct namer_question {
    uint32_t number, inode, uid;
};

struct namer_answer {
    uint32_t number;
    char program[60]; /* "": not found */
};

/* Before the first thread, and before sandbox_enter. A stream socket, on which whole questions are written and whole answers read; the process ends when it is
   closed. -1 with *e. */
int namer_start(struct err *e);

/* The search by itself. */
struct namer_wanted {
    struct namer_question question;
    struct namer_answer answer;
};
void namer_search(struct namer_wanted *wanted, size_t n);

#endif
