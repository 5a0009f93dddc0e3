/*
 * The rules that decide which way a destination is reached, in the order in which they are looked at: the entries of no-proxy (direct), then the lines
 * "rule = PATTERN UPSTREAM|direct|block"; who matches none goes to the first upstream. Immutable after rules_new; any thread.
 */
#ifndef EXEAT_ROUTE_RULES_H
#define EXEAT_ROUTE_RULES_H

#include "config/config.h"
#include "base/pattern.h"

struct rule {
    struct pattern pattern;
    enum config_way way;
    size_t upstream; /* WAY_UPSTREAM: its place in the configuration */
    char *text; /* "no-proxy .internal.example", "rule *.lab.example lab": the reason that people are told */
};

struct rules {
    struct rule *rows;
    size_t n;
};

/* false with *e, which quotes the rule: nothing is to be freed. */
bool rules_read(struct rules *r, const struct config *c, struct err *e);
void rules_free(struct rules *r);
/* The first that matches, or NULL. `host` without brackets. */
const struct rule *rules_match(const struct rules *r, struct span host, uint16_t port);

#endif
