/*
 * What dial, listen and child know of a stream's inside; private to net/.
 */
#ifndef EXEAT_NET_UV_STREAM_H
#define EXEAT_NET_UV_STREAM_H

#include <uv.h>

#include "base/buf.h"
#include "base/list.h"
#include "net/stream.h"

struct stream {
    union {
        uv_handle_t any;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } handle;
    struct loop *loop;
    const struct stream_events *events;
    void *owner;
    uv_write_t write; /* at most one in flight; what comes meanwhile gathers in `gathering` */
    uv_shutdown_t shut;
    struct buf sending;
    struct buf gathering;
    struct later fail;        /* an error found inside a call is told outside of it */
    struct list lingering;    /* in loop->lingering: nobody else holds it any more */
    struct deadline patience; /* with the end of a lingering one */
    unsigned linger_ms;       /* in which it has to take something */
    uint64_t untaken;         /* at the last look */
    void (*gone)(void *owner);
    void *gone_owner;
    uint64_t bytes_in, bytes_out;
    struct buf unread;     /* told again when somebody reads next */
    struct later again;    /* by this */
    struct bridge *bridge; /* that it is an end of (bridge.c), or NULL */
    struct secure *secure; /* TLS in between; NULL: bytes go as they are */
    int error;             /* libuv's number behind `fail` */
    char *words;           /* instead of it: what TLS says */
    bool reading;
    bool eof;       /* the other side has finished */
    bool cut_short; /* and has not said so as TLS wants it */
    bool wipe;      /* secrets have passed through the buffers */
    bool broken;    /* `failed` was told or is about to be: no more writing */
    bool shut_wanted, shut_sent;
    bool spent;    /* it lingers with nothing left to send: it goes when descriptors run out */
    bool accepted; /* counts against the listeners' budget */
    char peer[56]; /* an address of ours to print, never a peer's text */
};

/* --- stream.c, for secure.c --- */

#define GATHERED_MOST ((size_t)1 << 30)

void stream_broke(struct stream *s, const char *words); /* tells `failed`, later */
void stream_ended(struct stream *s);
void stream_raw_read(struct stream *s);
/* What has been gathered goes out, unless a write is under way (`idle` false), after which it goes by itself. */
void stream_send_gathered(struct stream *s, bool idle);

/* linger.c: has nothing been taken since the last look? */
bool stream_is_stuck(struct stream *s);

/* bridge.c: this end of it is closed. */
void bridge_released(struct bridge *b, const struct stream *end);

struct stream *stream_new_tcp(struct loop *loop);
struct stream *stream_new_pipe(struct loop *loop);
void stream_name_peer(struct stream *s);

#endif
