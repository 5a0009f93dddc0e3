/*
 * "The network changed" and "we slept" as one event, without polling: rtnetlink for links, addresses and routes; a timer that the kernel
 * cancels when it resumes or when the clock is set, for sleep. Where the kernel cannot be asked (a service manager may forbid it) this
 * is said once, and the rest goes on without. Loop thread only.
 */
#ifndef EXEAT_NET_NETWATCH_H
#define EXEAT_NET_NETWATCH_H

#include <time.h>

#include "net/loop.h"

struct netwatch;

/* slept: this computer did; otherwise its network is another one. Called from the loop; it may end the watch. */
typedef void (*netwatch_fn)(void *owner, bool slept);

struct netwatch *netwatch_start(struct loop *loop, netwatch_fn changed, void *owner);
void netwatch_stop(struct netwatch *w);

/* For tests: what netwatch_start opens by itself. The descriptors are taken over; -1: none. */
struct netwatch_sources {
    int netlink; /* datagrams of rtnetlink */
    int clock;   /* readable: the clock was set, or we slept */
    int (*now)(clockid_t clock, struct timespec *out);
};
struct netwatch *netwatch_start_on(struct loop *loop, const struct netwatch_sources *sources,
                                   netwatch_fn changed, void *owner);
/* A netlink socket that hears what netwatch wants to hear; -1 with errno. */
int netwatch_open(void);

#endif
