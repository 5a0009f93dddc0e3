/*
 * Figures for monitoring systems, as OpenMetrics text (version 1.0). Counters are since the start; upstreams and proxies are named as the configuration has
 * them; no destination, no user and no secret is in it. Loop thread only.
 */
#ifndef EXEAT_RELAY_METRICS_H
#define EXEAT_RELAY_METRICS_H

#include "relay/relay.h"

#define METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

void metrics_write(const struct relay *r, struct buf *out);

#endif
