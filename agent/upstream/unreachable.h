/*
 * A connection that could not be made: the page for it, and what a person can do.
 */
#ifndef EXEAT_UPSTREAM_UNREACHABLE_H
#define EXEAT_UPSTREAM_UNREACHABLE_H

#include "http/page.h"
#include "net/dial.h"

enum page_cause unreachable_cause(enum dial_failure kind);
/* `direct`: there is no proxy in between, so it is not the company network that is missing. */
struct span unreachable_remedy(enum dial_failure kind, bool direct);

#endif
