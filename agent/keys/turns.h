/*
 * The queue of jobs that take long by our own doing: a slow hash of a password costs a processor a tenth of a second, so that only a few are computed at once, and
 * clients who guess delay nobody but each other. Main thread.
 */
#ifndef EXEAT_KEYS_TURNS_H
#define EXEAT_KEYS_TURNS_H

#include "base/list.h"
#include "keys/work.h"

#define TURNS_AT_ONCE 2
#define TURNS_WAITING 64 /* of one network: the last of them waits a few seconds */

/* A job's, as a part of its owner. */
struct turn {
    struct list link;
    struct job *job;
    const char *network; /* lent: whose client it is for */
};

struct turns {
    struct list waiting; /* in the order of their coming */
    struct turn *running[TURNS_AT_ONCE];
};

void turns_init(struct turns *q);
void turn_init(struct turn *t, struct job *job, const char *network);
/* Are there too many of its network already? */
bool turns_are_crowded(const struct turns *q, const struct turn *t);
void turns_queue(struct turns *q, struct turn *t);
bool turn_waits(const struct turn *t);
/* It does not wait any more. */
void turn_leave(struct turn *t);
/* Its job is done, whether it had to wait for its turn or not; turns_next is for the caller. */
void turns_over(struct turns *q, const struct turn *t);
/* Submits those whose turn it is. */
void turns_next(struct turns *q);

#endif
