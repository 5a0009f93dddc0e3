/*
 * Request targets (RFC 9112 section 3.2): absolute-form for a proxy, authority-form for CONNECT, origin-form for our own pages,
 * asterisk-form for OPTIONS. Host names are checked for what may stand in a head and a log; IPv6 literals keep their brackets off. Pure.
 */
#ifndef EXEAT_HTTP_TARGET_H
#define EXEAT_HTTP_TARGET_H

#include "http/head.h"

enum target_form { TARGET_ABSOLUTE, TARGET_AUTHORITY, TARGET_ORIGIN, TARGET_ASTERISK };

struct target {
    enum target_form form;
    struct span scheme;    /* "http", as it came; empty for authority-form */
    struct span authority; /* host[:port] as it came; origin-form and asterisk-form: that of Host, or empty */
    struct span host;      /* without brackets */
    bool ipv6;             /* host is an IPv6 literal */
    uint16_t port;         /* with the scheme's default filled in */
    struct span
        path; /* path and query, "/" when there was neither; OPTIONS without a path: "*"; for "http://host?query"
                               it begins with '?', and header_write_request puts the '/' before it */
};

/* All spans point into `h`'s bytes or static text. User information in the authority is refused (400), so are fragments, port 0, ports over
   65535, an IPv6 zone, an empty host, https in absolute form (with a sentence: use CONNECT, set https_proxy) and other schemes (501). */
bool target_read(struct target *t, const struct head *h, struct fault *fault);

/* "host:port" or "[v6]:port" as for CONNECT and a Host field; `h` and `p`: reads such text (port optional: `fallback`; 0: the port is required). */
bool target_authority(struct span text, uint16_t fallback, struct span *host, bool *ipv6, uint16_t *port);
bool target_add_authority(struct buf *out, struct span host, uint16_t port);

#endif
