/*
 * A private place to practise in: a folder that nobody else can read, listening sockets on loopback, and processes of our own that live in it. All is gone with
 * place_end; when we are killed, the processes end, and one of them removes the folder. One thread.
 */
#ifndef EXEAT_CLI_PRACTICE_PLACE_H
#define EXEAT_CLI_PRACTICE_PLACE_H

#include <signal.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define PLACE_CHILDREN_MOST 4

struct place {
    char *folder;
    pid_t owner;
    struct place_child {
        const char *name; /* NULL: none */
        pid_t pid;
    } children[PLACE_CHILDREN_MOST];
};

struct place_door {
    int fd;
    uint16_t port;
};

/* A new folder below $TMPDIR, or below /tmp where that will not do. */
bool place_begin(struct place *p, struct err *e);
/* FOLDER/name; the caller frees. */
char *place_path(const struct place *p, const char *name);
bool place_write(const struct place *p, const char *name, struct span text, struct err *e); /* mode 0600 */

/* Listens on 127.0.0.1 at that port, or at any that is free where it is not. *e too where loopback is down. */
bool place_listen(struct place_door *d, uint16_t wanted, struct err *e);

/* Forks. In the child its surroundings are those of the place: folders of its own, next to nothing of our environment, nothing on standard input, output and errors in
   FOLDER/name.log where `logged`; and it is ended when we are. 0: this is the child; -1: *e. */
pid_t place_fork(struct place *p, const char *name, bool logged, struct err *e);
/* In a child: hands it this listening socket alone, as systemd does (net/given.h). */
void place_hand_over(const struct place_door *d);
/* Its end, for a child that ends by itself; its exit code. */
int place_wait(struct place *p, pid_t child);
/* A child has ended: its name, and what waitpid says of it; NULL: none has. */
const char *place_lost(struct place *p, int *status);
/* The last lines of FOLDER/name.log. */
void place_read_log(const struct place *p, const char *name, struct buf *out);

/* `signals` are blocked, SIGCHLD among them; another of them in the meantime, and who has not ended is killed. */
void place_end(struct place *p, const sigset_t *signals);
/* At the end of one child: where we have died and left it alone, it removes the folder. */
void place_end_orphan(const struct place *p);

#endif
