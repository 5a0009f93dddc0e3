/*
 * The knock: a GET (or HEAD) for the same target without a body and without any of the client's own fields, sent to learn a challenge or to make the first step of a
 * handshake while the real body stays back. If the hop does not ask, its answer is dropped and the request itself follows.
 */
#ifndef EXEAT_UPSTREAM_KNOCK_H
#define EXEAT_UPSTREAM_KNOCK_H

#include "http/header.h"

bool knock_write(struct buf *out, const char *method, const struct header_request *how);

/* The same for KEYS_ASIDE_TARGET (wire/keys_msg.h), with `how`'s authorization and via: it is about the connection, not about any request. Never answered by
   an origin server: the name cannot be resolved, whatever the proxy lets through. */
bool knock_write_aside(struct buf *out, const char *method, const struct header_request *how);

/* The head of a leg: one of these, or without a knock_method the request itself. `out` is empty. */
bool knock_or_request(struct buf *out, const struct head *request, const struct header_request *how,
                      const char *knock_method, bool aside);

#endif
