/*
 * The knock: a GET (or HEAD) for the same target without a body and without any of the client's own fields, sent to learn a challenge or to make the first step of a
 * handshake while the real body stays back. If the hop does not ask, its answer is dropped and the request itself follows.
 */
#ifndef EXEAT_UPSTREAM_KNOCK_H
#define EXEAT_UPSTREAM_KNOCK_H

#include "http/header.h"

bool knock_write(struct buf *out, const char *method, const struct header_request *how);

#endif
