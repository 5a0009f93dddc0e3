/*
 * The content of a message, whatever its framing: one reader over BODY_NONE, BODY_LENGTH, BODY_CHUNKED and BODY_CLOSE that lends pieces of its input.
 * Pure; whoever starts it frees it.
 */
#ifndef EXEAT_HTTP_BODY_H
#define EXEAT_HTTP_BODY_H

#include "http/chunked.h"
#include "http/framing.h"

struct body {
    struct body_rule rule;
    uint64_t left;          /* BODY_LENGTH */
    struct chunked chunked; /* BODY_CHUNKED */
    bool ended;
};

void body_start(struct body *b, struct body_rule rule);
void body_free(struct body *b);
/* As chunked_read: takes bytes off *in, says MORE, DATA, END or BAD. A body without content says END at once. */
enum chunked_result body_read(struct body *b, struct span *in, struct span *data);
/* The connection has ended: true when that is how this body ends (or it had ended before), false when it was cut short. */
bool body_eof(struct body *b);
bool body_ended(const struct body *b);
const struct head *body_trailers(const struct body *b); /* NULL: none */

#endif
