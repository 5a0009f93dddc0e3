/*
 * The no-proxy rules: which destinations are reached directly. Entries: "host", ".suffix" and "*.suffix" (the name itself too for ".suffix"),
 * "*" anywhere in a name, "192.168.0.0/16", "fd00::/8", an address, each with ":port" behind it if wanted ("[v6]:port"), "<local>" (names without a
 * dot), "*" (everything). Names are compared as they stand in the request: nothing is looked up. Immutable after bypass_new; any thread.
 */
#ifndef EXEAT_ROUTE_BYPASS_H
#define EXEAT_ROUTE_BYPASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct bypass;

/* NULL with *e, which quotes the entry, when one cannot be read. */
struct bypass *bypass_new(char **entries, size_t n, struct err *e);
void bypass_free(struct bypass *b);
/* The entry that matches, as it was written, or NULL. `host` without brackets. */
const char *bypass_match(const struct bypass *b, struct span host, uint16_t port);

#endif
