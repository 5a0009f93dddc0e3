/*
 * The log of requests: one line for each when it is over, in one of three forms, through a sink (base/sink.h), so that no disk and no reader of a pipe holds
 * the loop up. No query, no user information and no field of a message is in it; what peers wrote is escaped. Loop thread only.
 */
#ifndef EXEAT_RELAY_ACCESS_H
#define EXEAT_RELAY_ACCESS_H

#include <time.h>

#include "base/sink.h"
#include "config/config.h"

struct access {
    struct timespec at; /* when it was over */
    const char *tag;    /* "c12.r3" */
    struct span peer;   /* "127.0.0.1:40112", "unix" */
    bool uid_known;
    uid_t uid;
    struct span guest;            /* the name of a [client NAME], from beyond this machine */
    struct span user;             /* of a gateway: who has authenticated */
    struct span program;          /* empty: not known; so with all below */
    struct span method, protocol; /* as the client has them */
    struct span target;           /* as it came; what is not for a log is left out here */
    struct span route;            /* the upstream's name, "direct", "blocked", "exeat" (a page of ours) */
    struct span proxy;            /* host and port */
    struct span why;              /* the rule behind the route */
    struct span scheme;           /* what the keyholder calls that by which it was let in */
    struct span note;
    unsigned status;                 /* 0: the client was told none */
    uint64_t up, down, milliseconds; /* content */
    bool tunnel;                     /* a tunnel's end */
    bool begins;   /* a tunnel's begin: for people; programs that read the log want one line per request */
    unsigned legs; /* requests that went to the proxy for it */
};

/* Appends the line, without a newline: at most ACCESS_LINE_MOST bytes. Pure. */
#define ACCESS_LINE_MOST ((size_t)4000)
void access_format(struct buf *out, enum log_format format, const struct access *a);
/* A copy with the texts; one free() ends it. */
struct access *access_keep(const struct access *a);

/* Where the lines go. */
struct access_log {
    struct sink *sink; /* NULL: not started */
    enum log_format format;
    bool on, own_file;
    /* NULL: nobody watches. Told of each line before it is written, and of those that are not. */
    void (*watched)(void *owner, const struct access *a);
    void *watched_owner;
};

/* Opens what the configuration wants, for access_log_set; -1: nothing to open. false: *e says why it cannot be. */
bool access_log_open(const struct config *c, int *fd, struct err *e);
/* Takes fd over. The first time starts the writer's thread. */
void access_log_set(struct access_log *log, const struct config *c, int fd);
/* false: see sink_stop. */
bool access_log_stop(struct access_log *log);
/* Does anybody want lines? */
bool access_log_wanted(const struct access_log *log);
/* Fills in the time where there is none; nothing, where no lines are wanted. */
void access_log_write(const struct access_log *log, struct access *a);

#endif
