/*
 * The changes of [headers], read once: which of them a request gets is decided by its destination, or by the upstream that it goes through. First remove,
 * then set (the first line that fits, for each name), then add (every line that fits). Immutable and reference-counted, so that a request keeps those that it
 * began with; loop thread only.
 */
#ifndef EXEAT_ROUTE_HEADERS_H
#define EXEAT_ROUTE_HEADERS_H

#include "config/config.h"
#include "http/header.h"
#include "base/pattern.h"

struct header_rules;

/* false with *e: a pattern cannot be read. *out is NULL where the configuration changes nothing. */
bool header_rules_new(struct header_rules **out, const struct config *c, struct err *e);
struct header_rules *header_rules_ref(struct header_rules *r); /* NULL is allowed, here and below */
void header_rules_unref(struct header_rules *r);

/* What a request there gets. `upstream` NULL: it goes without a proxy. *out begins zeroed or as the last call left it; its texts are the rules'. */
void header_rules_choose(const struct header_rules *r, const struct destination *d, const char *upstream,
                         struct header_changes *out);
void header_changes_free(struct header_changes *changes);

#endif
