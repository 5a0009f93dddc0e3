/*
 * Sockets that are listening already when we start: systemd's socket activation, by the environment variables and descriptors that sd_listen_fds(3) describes.
 * They must be what we would have opened ourselves: streams, listening, on loopback or on this machine's files. Ours until given_free.
 */
#ifndef EXEAT_NET_GIVEN_H
#define EXEAT_NET_GIVEN_H

#include "net/listen.h"

struct given {
    int fd;
    char *name;    /* FileDescriptorName= of the unit, by default the unit's; "" : unknown */
    char *address; /* "127.0.0.1:3128", "[::1]:3128" or "unix:PATH" */
};

struct given_list {
    struct given *list;
    size_t n;
};

/* Once, before anything else opens descriptors or starts programs: takes the variables out of the environment. false: one of the sockets is not what we
   may listen on, and *e says which and why. */
bool given_take(struct given_list *out, struct err *e);
void given_free(struct given_list *l);

/* A listener on one of them; at its end the socket stays as it is, and so does a Unix socket's file. */
struct listener *listen_given(struct loop *loop, const struct given *g, accepted_fn accepted, void *owner,
                              struct err *e);

#endif
