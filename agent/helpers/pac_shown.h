/*
 * What of a request a PAC script gets to see. Pure.
 */
#ifndef EXEAT_HELPERS_PAC_SHOWN_H
#define EXEAT_HELPERS_PAC_SHOWN_H

#include "base/buf.h"

/* Appends the URL for FindProxyForURL. For http that is the request's own (`url`: absolute form; empty: none is known) without user, password
   and fragment: old scripts look at paths. For everything else scheme, host and port alone: what stands behind them travels encrypted, and is
   none of the script's business. The port is left out where it is the scheme's own; an IPv6 address stands in brackets. */
bool pac_shown_url(struct buf *out, struct span scheme, struct span host, uint16_t port, struct span url);

#endif
