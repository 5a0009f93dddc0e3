/*
 * Where the body of a message ends: RFC 9112 section 6.3 as one function each for requests and responses. What that section calls
 * ambiguous (Content-Length with Transfer-Encoding, several lengths, codings other than one "chunked", codings in HTTP/1.0) is a fault. Pure.
 */
#ifndef EXEAT_HTTP_FRAMING_H
#define EXEAT_HTTP_FRAMING_H

#include "http/head.h"

enum body_kind {
    BODY_NONE,    /* nothing follows the head */
    BODY_LENGTH,  /* `length` bytes (may be 0: the field was there) */
    BODY_CHUNKED, /* chunks, then trailers */
    BODY_CLOSE,   /* until the connection closes (responses only) */
    BODY_TUNNEL,  /* what follows is no HTTP: 2xx to CONNECT, 101 (responses only) */
};

struct body_rule {
    enum body_kind kind;
    uint64_t length;
};

bool framing_request(const struct head *h, struct body_rule *rule, struct fault *fault);
/* `method` is that of the request it answers. */
bool framing_response(const struct head *h, struct span method, struct body_rule *rule, struct fault *fault);

#endif
