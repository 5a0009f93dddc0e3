/*
 * Classes of octets in heads (RFC 9110 sections 5.5 and 5.6.2, RFC 9112 section 3), as one table. Internal to
 * http/.
 */
#ifndef EXEAT_HTTP_OCTET_H
#define EXEAT_HTTP_OCTET_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum octet_class {
    OCTET_TOKEN = 1, /* tchar */
    OCTET_VALUE =
        2, /* HTAB, SP, VCHAR, obs-text: what a field value, a reason and a chunk extension may hold */
    OCTET_TARGET = 4, /* VCHAR: what a request target may hold */
    OCTET_HEX = 8,    /* HEXDIG, either letter case */
    OCTET_HOST =
        16, /* what we take in a host name: unreserved of RFC 3986; no percent-encoding, no sub-delims */
};

extern const uint8_t octet_table[256];

static inline bool octet_is(char c, enum octet_class class)
{
    return octet_table[(unsigned char)c] & class;
}

/* Number of octets of that class at the front of `s`. */
static inline size_t octet_run(struct span s, enum octet_class class)
{
    size_t i = 0;
    while (i < s.n && octet_is(s.p[i], class))
        i++;
    return i;
}

#endif
