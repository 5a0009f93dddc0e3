/*
 * Patterns for destinations, as no-proxy and rule have them: "host", ".suffix" and "*.suffix" (the name itself too for ".suffix"), "*" anywhere in a
 * name, "192.168.0.0/16", "fd00::/8", an address, each with ":port" behind it if wanted ("[v6]:port"), "<local>" (names without a dot), "*"
 * (everything). Names are compared as they stand in the request: nothing is looked up. Pure; any thread.
 */
#ifndef EXEAT_BASE_PATTERN_H
#define EXEAT_BASE_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

enum pattern_kind { PATTERN_NAME, PATTERN_SUFFIX, PATTERN_STARS, PATTERN_NETWORK, PATTERN_LOCAL };

struct pattern {
    enum pattern_kind kind;
    char *text;       /* as written; owned */
    struct span name; /* inside text: name, suffix with its dot, or what holds the stars */
    int family;       /* PATTERN_NETWORK */
    unsigned char network[16];
    unsigned prefix; /* bits */
    uint16_t port;   /* 0: any */
};

/* false with *e, which quotes the text: nothing is to be freed. */
bool pattern_read(struct pattern *p, const char *text, struct err *e);
/* Whether that could be read. */
bool pattern_check(struct span text, struct err *e);
void pattern_free(struct pattern *p);

/* Where a request wants to go, looked at once for all patterns. `host` without brackets, lent. */
struct destination {
    struct span host;
    int family; /* of a literal address; 0: a name */
    unsigned char address[16];
    uint16_t port;
};

struct destination destination_of(struct span host, uint16_t port);
bool pattern_matches(const struct pattern *p, const struct destination *d);

#endif
