/*
 * Names to addresses for programs that ask for text (PAC scripts): looked up in libuv's pool, remembered for a while, at most a few at a time.
 * Connections look up for themselves (dial.h). Loop thread only.
 */
#ifndef EXEAT_NET_RESOLVE_H
#define EXEAT_NET_RESOLVE_H

#include "base/buf.h"
#include "base/list.h"
#include "net/loop.h"

struct resolver;

/* Addresses joined by ';', as the system's resolver ordered them; empty: there are none, or they did not come in time. Lent for the call. */
typedef void (*resolved_fn)(void *owner, struct span addresses);

struct resolve { /* one question; the asker's memory */
    struct list link;
    struct lookup *lookup; /* NULL: the answer is known, and told in a moment */
    struct deadline deadline;
    struct later told;
    char *known;
    resolved_fn done;
    void *owner;
    bool active;
};

struct resolver *resolver_new(struct loop *loop);
/* No question may be under way. Look-ups that are cost nothing more than their memory. */
void resolver_free(struct resolver *r);
/* Answers exactly once, never inside this call, and not at all after resolve_cancel (which may be called at any time). */
void resolve_start(struct resolver *r, struct resolve *q, struct span host, unsigned timeout_ms,
                   resolved_fn done, void *owner);
void resolve_cancel(struct resolve *q);
/* The network has changed: what was looked up before does not hold any more. */
void resolver_forget(struct resolver *r);

/* The addresses of this machine, joined by ';': those from which the world would be reached first, then those of the interfaces, without
   loopback and link-local ones. Sends nothing. */
void my_addresses(struct buf *out);

#endif
