/*
 * A private place to practise in: a folder that nobody else can read, listening sockets on loopback, and processes of our own that live in it. All is gone with
 * place_end, and the processes end when we die. One thread.
 */
#ifndef EXEAT_CLI_PRACTICE_PLACE_H
#define EXEAT_CLI_PRACTICE_PLACE_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define PLACE_CHILDREN_MOST 4

struct place {
    char *folder;
    struct place_child {
        const char *name; /* NULL: none */
        pid_t pid;
    } children[PLACE_CHILDREN_MOST];
};

struct place_door {
    int fd;
    uint16_t port;
};

/* A new folder. */
bool place_begin(struct place *p, struct err *e);
/* FOLDER/name; the caller frees. */
char *place_path(const struct place *p, const char *name);
bool place_write(const struct place *p, const char *name, struct span text, struct err *e); /* mode 0600 */

/* Listens on 127.0.0.1 at that port, or at any that is free where it is not. */
bool place_listen(struct place_door *d, uint16_t wanted, struct err *e);

/* Forks. In the child its surroundings are those of the place: folders of its own, no tickets and no keyring of ours, nothing on standard input, output and errors in
   FOLDER/name.log where `logged`; and it is ended when we are. 0: this is the child; -1: *e. */
pid_t place_fork(struct place *p, const char *name, bool logged, struct err *e);
/* In a child: hands it this listening socket alone, as systemd does (net/given.h). */
void place_hand_over(const struct place_door *d);
/* Its end, for a child that ends by itself; its exit code. */
int place_wait(struct place *p, pid_t child);
/* A child has ended: its name; NULL: none has. */
const char *place_lost(struct place *p);
/* The last lines of FOLDER/name.log. */
void place_read_log(const struct place *p, const char *name, struct buf *out);

void place_end(struct place *p);

#endif
