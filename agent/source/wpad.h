/*
 * Where WPAD looks for a script (by DNS; DHCP is not asked). Pure; any thread.
 *
 * The rule: for each domain that resolv.conf(5) has machines search, in that order, http://wpad.DOMAIN/wpad.dat; the domain exactly as it stands
 * there, and never one above it. Nobody can tell from a name where an organisation's part of the DNS ends (co.uk, k12.ca.us), and whoever
 * owns wpad.ABOVE would own all our requests. A domain of one label (corp, com) is not asked for the same reason.
 */
#ifndef EXEAT_SOURCE_WPAD_H
#define EXEAT_SOURCE_WPAD_H

#include "base/buf.h"

#define WPAD_DOMAINS 8

/* Of a resolv.conf; without any `search` or `domain` line, of the machine's own name. Fills hosts[] with "wpad.DOMAIN.": the dot at the end keeps the resolver
   from adding domains. The caller frees each. Returns how many. */
size_t wpad_hosts(struct span resolv_conf, struct span machine, char *hosts[WPAD_DOMAINS]);

#endif
