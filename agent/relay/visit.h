/*
 * What an address is called in the quotas of gateways (relay/visit.c, which holds the connections' half of gate.h).
 */
#ifndef EXEAT_RELAY_VISIT_H
#define EXEAT_RELAY_VISIT_H

#include "base/buf.h"

struct stream;

void visit_key(const struct stream *s, struct buf *out);

#endif
