/*
 * Whose process is at the other end of a connection on this machine: for Unix sockets SO_PEERCRED, for TCP the kernel's own table of
 * sockets (NETLINK_SOCK_DIAG, sock_diag(7)), asked for exactly one connection. Works for other users' sockets without privileges and costs
 * a few microseconds, however many connections there are. Loop thread only; waits 100 ms at most, and in practice never: the kernel
 * answers inside of the question.
 *
 * What the answer means: the user who made the socket. One that root made and a process used after it became somebody else is root's.
 */
#ifndef EXEAT_NET_PEER_H
#define EXEAT_NET_PEER_H

#include "net/stream.h"

enum peer_owner {
    PEER_USER, /* *uid is set */
    PEER_GONE, /* the owner has closed the socket, or ended: what it sent is still here, who it was is not known any more */
    PEER_UNKNOWN, /* *e says why nobody can tell: no such connection, not of this machine, no netlink */
};

/* What is known of the program at the other end. */
struct peer_id {
    bool uid_known;
    uid_t uid;
    pid_t pid;      /* 0: not known */
    uint32_t inode; /* of its TCP socket; 0: not known */
};

/* The question's socket, kept open; one per loop. Memory of the caller's. */
struct peer_query {
    int fd; /* -1: not open; each question tries again */
    uint32_t sequence;
    uint32_t inode; /* of the last answer's socket */
};

void peer_init(struct peer_query *q);
void peer_done(struct peer_query *q);
/* Reads nothing from the stream. *uid is set for PEER_USER alone. */
enum peer_owner peer_find(struct peer_query *q, const struct stream *s, uid_t *uid, struct err *e);

/* The name of a process, as ps has it; a look into /proc, which does not wait. It says nothing certain: the number may belong to another by now. */
#define PEER_PROGRAM_MOST 64
bool peer_program(pid_t pid, char name[PEER_PROGRAM_MOST]);

#endif
