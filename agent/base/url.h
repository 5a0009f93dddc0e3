/*
 * http: and https: URLs (RFC 3986, RFC 9110 section 4.2) of a server that we ask for something ourselves. Proxies' addresses and what clients
 * ask for are read elsewhere, each with its own rules. Pure; any thread.
 */
#ifndef EXEAT_BASE_URL_H
#define EXEAT_BASE_URL_H

#include "base/buf.h"

struct url {
    bool tls;
    struct span host; /* without brackets */
    bool ipv6;
    uint16_t port;    /* the scheme's own where none is written */
    struct span path; /* path and query without fragment, as it stands: may be empty, or begin with '?' */
};

/* NULL: it is one; spans point into `text`. Else what is wrong, to follow the URL's name ("has a user name ..."); never a part of the text. */
const char *url_read(struct url *u, struct span text);
/* Whether the text begins with that scheme and a colon, in any letter case. */
bool url_has_scheme(struct span text, const char *scheme);

/* What a reference (of a Location field) means, seen from `base`, which url_read has taken: RFC 3986 section 5.2, without a fragment. The result is
   for url_read to judge. */
void url_resolve(struct span base, struct span reference, struct buf *out);

/* For messages: without a query, which may hold a token. */
void url_shown(struct span text, struct buf *out);

#endif
