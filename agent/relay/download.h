/*
 * An answer's body on its way down: out of the proxy's framing, into the one that the client gets; stops reading while the client is slow.
 * The memory is the exchange's.
 */
#ifndef EXEAT_RELAY_DOWNLOAD_H
#define EXEAT_RELAY_DOWNLOAD_H

#include "http/body.h"
#include "net/stream.h"

enum download_state {
    DOWNLOAD_GOING,
    DOWNLOAD_WHOLE, /* ended as it should, and was written to the client */
    DOWNLOAD_CUT,   /* cut short or malformed: the client must see it as incomplete */
};

struct download {
    struct body body;
    struct stream *from, *to;
    bool chunked; /* towards the client */
    bool surplus; /* bytes came behind the end: the connection is not to be used again */
    enum download_state state;
    uint64_t content;
};

/* The framing that a client of that minor version gets for an answer framed by `rule`. */
struct body_rule download_framing(struct body_rule rule, unsigned client_minor);

void download_start(struct download *d, struct body_rule rule, struct body_rule towards_client,
                    struct stream *from, struct stream *to);
void download_free(struct download *d);
void download_take(struct download *d, struct span in);
void download_eof(struct download *d);
/* The client has taken its backlog. */
void download_resume(struct download *d);

#endif
