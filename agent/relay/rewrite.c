/*
 * Changes of a request's fields (rewrite.h).
 */
#include "relay/rewrite.h"

void rewrite_begin(struct rewrite *w, const struct route_table *routes)
{
    *w = (struct rewrite){.rules = header_rules_ref(route_table_headers(routes))};
}

const struct header_changes *rewrite_for(struct rewrite *w, const struct target *t, const struct hop *hop)
{
    struct destination d = destination_of(t->host, t->port);
    header_rules_choose(w->rules, &d, hop->upstream, &w->changes);
    return &w->changes;
}

void rewrite_end(struct rewrite *w)
{
    header_changes_free(&w->changes);
    header_rules_unref(w->rules);
    w->rules = NULL;
}
