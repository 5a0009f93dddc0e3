/*
 * One head out and one head in on one connection, and the dropping of a body that nobody wants (that of a 407). Between legs the connection is watched:
 * whether it ended shows in leg_gone. Bytes of request content go straight to the stream; `writable` says when its backlog is empty.
 * The memory is the caller's; leg_begin takes the stream's callbacks over, leg_end lets them go. Loop thread only.
 */
#ifndef EXEAT_UPSTREAM_LEG_H
#define EXEAT_UPSTREAM_LEG_H

#include "http/body.h"
#include "upstream/upstream.h"

enum leg_end_kind {
    LEG_CLOSED, /* the connection ended before the head was complete */
    LEG_TIMEOUT,
    LEG_TLS,       /* the same, by a fault in its TLS */
    LEG_MALFORMED, /* what came is no HTTP answer that we take */
};

struct leg_events {
    void (*informational)(void *owner, const struct head *h); /* 1xx but 101 */
    void (*answered)(
        void *owner); /* head and rule are filled in; reading is paused; leg_rest has what follows */
    void (*drained)(void *owner, bool whole); /* false: the connection cannot be used again */
    void (*broke)(void *owner, enum leg_end_kind how, const char *why);
    void (*writable)(void *owner);
};

struct leg {
    struct stream *stream; /* NULL: not begun */
    const struct leg_events *events;
    void *owner;
    enum { LEG_REST, LEG_HEAD, LEG_ANSWERED, LEG_DRAIN } state;
    struct buf in;
    size_t scanned;
    size_t max_head;    /* bytes */
    struct span method; /* of the request out, lent by the caller for the leg's time */
    struct head head;   /* of the answer; the caller may head_move it away */
    struct body_rule rule;
    unsigned informational; /* 1xx seen in this leg */
    struct body body;
    size_t dropped, drop_limit;
    struct deadline answer;
    unsigned answer_ms;
    bool gone;  /* the connection ended, or said something unasked */
    bool heard; /* a byte of an answer has come in this leg */
};

void leg_begin(struct leg *l, struct stream *s, size_t max_head, const struct leg_events *events,
               void *owner);
/* Sends the head (it may hold credentials) and waits for the answer's. answer_ms 0: no limit. */
void leg_send(struct leg *l, struct span head, struct span method, unsigned answer_ms);
/* Content is flowing: the time for the answer begins when it is all out (leg_content_out). */
void leg_content_flows(struct leg *l);
void leg_content_out(struct leg *l);
/* After `answered`: drops the body, at most `limit` bytes of it, in the time that an answer may take; ends with `drained`, which may come inside this call. */
void leg_drain(struct leg *l, size_t limit);
/* Bytes behind the answer's head that have been read already. */
struct span leg_rest(const struct leg *l);
bool leg_gone(const struct leg *l);
/* Stops deadlines, frees buffers. The stream stays as it is; its callbacks are the next owner's to set. */
void leg_end(struct leg *l);

#endif
