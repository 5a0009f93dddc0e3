/*
 * Proxies that the desktop's settings or the environment name (source/pac_source.h), as what a PAC script with the same meaning would return. Loop
 * thread only.
 */
#ifndef EXEAT_ROUTE_MANUAL_H
#define EXEAT_ROUTE_MANUAL_H

#include "base/buf.h"
#include "source/pac_source.h"

struct manual;

/* A copy. Entries of its list that cannot be read are left out, and said in the log. */
struct manual *manual_new(const struct pac_manual *m);
void manual_free(struct manual *m); /* NULL is allowed */

/* "PROXY proxy.corp.example:8080", "DIRECT". `scheme`: as a script would see it. */
void manual_result(const struct manual *m, struct span scheme, struct span host, uint16_t port,
                   struct buf *out);
/* "GNOME's settings" */
const char *manual_from(const struct manual *m);

#endif
