/*
 * The head of an HTTP/1 message: start line and fields (RFC 9112 sections 2 to 5), read strictly and written again.
 *
 * Shape: find the end of the head in the bytes received so far (head_end), then one strict pass over exactly these bytes
 * (head_read_request, head_read_response). The head owns a copy of the bytes; all spans point into it and live as long as the head.
 * Fields keep their order, letter case and spelling. No limit is fixed here: callers give them.
 * Pure: no sockets, no clock. A head belongs to one thread at a time; its owner calls head_free.
 */
#ifndef EXEAT_HTTP_HEAD_H
#define EXEAT_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct field {
    struct span name;
    struct span value; /* without the white space around it */
};

struct head {
    struct buf bytes;   /* start line and fields as they came, with the empty line */
    struct span method; /* requests only */
    struct span target; /* requests only */
    struct span reason; /* responses only; may be empty */
    unsigned status;    /* responses only: 100 to 999 */
    unsigned minor;     /* HTTP/1.minor: 0 or 1 (a higher minor version reads as 1, RFC 9112 section 2.3) */
    struct field *fields;
    size_t n_fields;
};

/* Why a message was refused: the status that we answer (for a request) or 502 (for a response), and a sentence. */
struct fault {
    unsigned status;
    const char *why; /* static text, without a full stop at its end */
};

struct head_limits {
    size_t bytes;  /* whole head; 431 beyond */
    size_t target; /* request target; 414 beyond (at least 8000, RFC 9112 section 3) */
    size_t fields; /* number of fields; 431 beyond */
};
extern const struct head_limits head_limits_default; /* 256 KiB, 64 KiB, 1000 */

/*
 * Length of the head at the front of `bytes`, with its empty line; 0: more bytes are needed. *scanned (start at 0) remembers how
 * far the last call looked, so that a head that trickles in is scanned once. Understands LF LF as an end too: the reader refuses it in words.
 * Up to two empty lines (CRLF) before a request line are to be skipped by the caller with head_skip_empty_lines (RFC 9112 section 2.2).
 */
size_t head_end(struct span bytes, size_t *scanned);
size_t head_skip_empty_lines(struct span bytes);

/*
 * The strict pass. `block` is what head_end measured. *h is overwritten: free what it held before. false: *fault says why and *h is
 * empty (head_free does no harm). Checked with the grammar: Host of requests (RFC 9112 section 3.2), the length of Connection (4 KiB).
 */
bool head_read_request(struct head *h, struct span block, const struct head_limits *limits,
                       struct fault *fault);
/* `lenient`: line ends of LF alone are taken in responses. obs-fold in a response is read as SP (RFC 9112 section 5.2). */
bool head_read_response(struct head *h, struct span block, const struct head_limits *limits, bool lenient,
                        struct fault *fault);
/* Fields alone, with the empty line behind them: a trailer section (RFC 9112 section 7.1.2). As strict as a request. */
bool head_read_fields(struct head *h, struct span block, const struct head_limits *limits,
                      struct fault *fault);
void head_free(struct head *h);
/* Takes every field of that name away and wipes its value: it has served its purpose here. */
void head_wipe_field(struct head *h, const char *name);
void head_move(struct head *to, struct head *from);

/* The first field of that name (any case), or NULL; the next one behind `after`. */
const struct field *head_field(const struct head *h, const char *name);
const struct field *head_field_next(const struct head *h, const struct field *after);
/* Number of fields of that name. */
size_t head_field_count(const struct head *h, const char *name);
/* Does any field of that name hold this token in its comma-separated list? (any case; parameters behind ';' are not looked at) */
bool head_has_token(const struct head *h, const char *name, const char *token);
/* Walks a comma-separated list (RFC 9110 section 5.6.1): the next non-empty member of *rest, trimmed; quoted strings are kept whole.
   false: no more. */
bool list_next(struct span *rest, struct span *member);

/* tchar+ (RFC 9110 section 5.6.2) */
bool http_token(struct span s);

#endif
