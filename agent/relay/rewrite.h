/*
 * One request's changes of fields, as [headers] wants them for the hop that it goes to. Part of its exchange; loop thread only.
 */
#ifndef EXEAT_RELAY_REWRITE_H
#define EXEAT_RELAY_REWRITE_H

#include "http/target.h"
#include "route/route.h"

struct rewrite {
    struct header_rules *rules; /* a reference; NULL: nothing is changed */
    struct header_changes changes;
};

void rewrite_begin(struct rewrite *w, const struct route_table *routes);
/* For the request's way to this hop; valid until the next call. */
const struct header_changes *rewrite_for(struct rewrite *w, const struct target *t, const struct hop *hop);
void rewrite_end(struct rewrite *w);

#endif
