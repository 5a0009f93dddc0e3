/*
 * Which program a client is, for the log of requests: of a Unix socket known at once, of a TCP connection asked of the namer (base/namer.h). A line that is
 * due before the answer waits for it, about half a second at most; where nobody can tell, the line says so. Loop thread only.
 */
#ifndef EXEAT_RELAY_CALLER_H
#define EXEAT_RELAY_CALLER_H

#include "base/buf.h"
#include "base/list.h"
#include "net/peer.h"
#include "relay/access.h"

struct caller; /* reference-counted: a client's, then its tunnel's */

/* Those of one relay. */
struct callers {
    struct stream *talk; /* to the namer; NULL: there is none */
    struct list pending; /* struct caller, each with a reference */
    size_t n;
    uint32_t asked;
    struct buf in; /* of an answer */
    const struct access_log *log;
};

void callers_init(struct callers *p, const struct access_log *log);
/* `fd`: of namer_start, taken over; -1: none. */
void callers_start(struct callers *p, struct loop *loop, int fd);
/* Writes the lines that wait. */
void callers_stop(struct callers *p);

/* NULL: it is of no interest. */
struct caller *caller_find(struct callers *p, const struct peer_id *who);
struct caller *caller_ref(struct caller *caller);
void caller_unref(struct caller *caller);
/* Fills in the name and writes the line, now or when the name is known. `caller` may be NULL. */
void caller_log(struct caller *caller, const struct access_log *log, struct access *a);

#endif
