/*
 * How long an answer to a GET is as good as a new one (RFC 9111 section 4.2), within bounds of ours. Pure; any thread.
 */
#ifndef EXEAT_SOURCE_FRESHNESS_H
#define EXEAT_SOURCE_FRESHNESS_H

#include "http/head.h"

#define FRESH_LEAST   300u   /* seconds: more often is no use to anybody, whatever the server says */
#define FRESH_DEFAULT 3600u  /* where it says nothing */
#define FRESH_MOST    86400u /* a script that is wrong must not stay longer */

/* Seconds from now on. `now`: of the clock on the wall, as time(2), for servers that give no Date. */
unsigned freshness(const struct head *h, int64_t now);

/* HTTP-date in its three forms (RFC 9110 section 5.6.7), as seconds since 1970. */
bool http_date(struct span text, int64_t now, int64_t *seconds);

#endif
