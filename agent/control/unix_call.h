/*
 * A blocking conversation over a Unix socket with one time limit over all of it, for the verbs that a person
 * types: they have nothing else to do meanwhile. Never in the agent, whose loop must not block. One thread.
 */
#ifndef EXEAT_CONTROL_UNIX_CALL_H
#define EXEAT_CONTROL_UNIX_CALL_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/span.h"

struct unix_call {
    int fd;         /* -1: not open */
    uint64_t until; /* monotonic milliseconds */
};

/* false: *c is not open; ERR_GONE: there is nobody at that path. The caller closes what is open. */
bool unix_call_open(struct unix_call *c, const char *path, unsigned timeout_ms, struct err *e);
void unix_call_close(struct unix_call *c);
/* A new limit, from now on. */
#define UNIX_CALL_FOREVER 0xFFFFFFFFu
void unix_call_extend(struct unix_call *c, unsigned timeout_ms);

/* Who answers: the process that listens (its number is 0 when it is in another pid namespace). */
bool unix_call_peer(const struct unix_call *c, struct ucred *peer, struct err *e);

/* All of the bytes, or false: ERR_TIMEOUT, or ERR_GONE when the other side has closed (what it said before
 * can still be received). */
bool unix_call_send(struct unix_call *c, struct span bytes, struct err *e);
/* Waits for at least one byte. *got is 0 at the end of what the other side has to say. */
bool unix_call_receive(struct unix_call *c, char *p, size_t size, size_t *got, struct err *e);

#endif
