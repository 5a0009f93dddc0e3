/*
 * Listening sockets, TCP and Unix. Accepting pauses when descriptors run short and resumes by itself when streams have closed.
 */
#ifndef EXEAT_NET_LISTEN_H
#define EXEAT_NET_LISTEN_H

#include <sys/socket.h>

#include "net/stream.h"

struct listener;

typedef void (*accepted_fn)(void *owner, struct stream *s);

/* host NULL: a Unix socket at `path`, made with mode 0600; a stale socket file is removed, a living one is an error ("another program ..."). Port 0: a free one.
   ERR_UNREACHABLE: this machine has no such address; ERR_CONFIG: it is not one of its loopback. */
struct listener *listen_tcp(struct loop *loop, const char *host, uint16_t port, accepted_fn accepted,
                            void *owner, struct err *e);
/* The same for an address that others reach too. One that no interface has at present is listened on all the same, for the time when one has it. */
struct listener *listen_tcp_open(struct loop *loop, const char *host, uint16_t port, accepted_fn accepted,
                                 void *owner, struct err *e);
struct listener *listen_unix(struct loop *loop, const char *path, accepted_fn accepted, void *owner,
                             struct err *e);
/* Who is reached at a TCP address of another kind is not only this machine. */
bool listen_is_loopback(const struct sockaddr *address);
/* For doors of our own (exeat status must work when every client's place is taken): does not count, and is not paused, with the others. */
void listener_exempt(struct listener *l);
/* "127.0.0.1:3128", "[::1]:3128" or "unix:PATH"; with the port that we really have. */
const char *listener_name(const struct listener *l);
/* Accepts those who are waiting at present, before it is closed; never more than it could hold. */
void listener_take_waiting(struct listener *l);
/* Removes a Unix socket's file too. */
void listener_close(struct listener *l);

#endif
