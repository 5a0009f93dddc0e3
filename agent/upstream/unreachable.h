/*
 * A connection or a tunnel that could not be made, or an answer that did not come: the page for it, and what a person can do.
 */
#ifndef EXEAT_UPSTREAM_UNREACHABLE_H
#define EXEAT_UPSTREAM_UNREACHABLE_H

#include "http/page.h"
#include "net/dial.h"
#include "upstream/leg.h"

enum page_cause unreachable_cause(enum dial_failure kind);
/* `direct`: there is no proxy in between, so it is not the company network that is missing. */
struct span unreachable_remedy(enum dial_failure kind, bool direct);

enum page_cause unanswered_cause(enum leg_end_kind how);
/* `harmless`: it makes no difference whether the request was carried out. */
struct span unanswered_remedy(enum leg_end_kind how, bool harmless);

/* What a proxy means by its no to CONNECT. */
enum page_cause unreachable_tunnel_cause(const struct head *answer);
/* The same in words; `proxy` NULL: it is named elsewhere. */
void unreachable_tunnel_words(struct buf *out, const char *proxy, const struct head *answer,
                              struct span target);
struct span unreachable_tunnel_remedy(const struct head *answer);

#endif
