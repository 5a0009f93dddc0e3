/*
 * A request's body on its way up: taken out of the client's framing, put into ours, with a small window kept so that it can be sent again after a late 407 or
 * a stale connection. Content that passes is not copied, except into the window. The memory is the exchange's.
 */
#ifndef EXEAT_RELAY_UPLOAD_H
#define EXEAT_RELAY_UPLOAD_H

#include "http/body.h"
#include "net/stream.h"
#include "upstream/ask.h"

#define REPLAY_WINDOW ((size_t)64 * 1024)

struct upload {
    struct body body;  /* the client's framing */
    struct stream *to; /* NULL: not flowing at the moment */
    struct buf kept;   /* the content's first bytes */
    bool keeping;      /* `kept` is all of the content so far */
    bool gathering;    /* content is taken in though it does not flow */
    bool discarding;   /* content is taken in for nothing */
    bool ended;        /* the client has sent all */
    bool sent_end;     /* all of it has been written to `to` */
    bool bad;          /* the client broke its framing */
    uint64_t content;  /* bytes of content so far */
};

void upload_start(struct upload *u, struct body_rule rule);
void upload_free(struct upload *u);
enum ask_body upload_class(const struct upload *u);
/* Does it want bytes of the client now? */
bool upload_wants(const struct upload *u);
/* Takes what it can off *in. */
void upload_take(struct upload *u, struct span *in);
/* Begin (again) from the first byte on this stream. Only after upload_start or an upload_rewind that was not LOST. */
void upload_go(struct upload *u, struct stream *to);
enum ask_rewind upload_rewind(struct upload *u);
/* The answer has come: nothing will be sent again. */
void upload_settle(struct upload *u);
/* Take content into the window without sending it. */
void upload_gather(struct upload *u);
/* Take content in, and drop it. */
void upload_discard(struct upload *u);

#endif
