/*
 * What a PAC script returned, read: "PROXY a:3128; SOCKS5 b; DIRECT". Pure.
 *
 * Entries are separated by ';', tried in their order. A word that we do not know, a host or port that is none, an entry with a user name: skipped,
 * with a note; nothing in a result ever brings credentials along. An empty result means DIRECT, as browsers have it; a result with entries none
 * of which is good has no places: that is the script's failure, not permission to go direct.
 */
#ifndef EXEAT_ROUTE_PAC_RESULT_H
#define EXEAT_ROUTE_PAC_RESULT_H

#include "base/buf.h"

enum pac_place_kind {
    PAC_PLACE_DIRECT,
    PAC_PLACE_HTTP,   /* PROXY, HTTP; port 80 where none is given */
    PAC_PLACE_HTTPS,  /* a proxy that is reached by TLS; 443 */
    PAC_PLACE_SOCKS,  /* SOCKS: the script does not say which version; 1080 */
    PAC_PLACE_SOCKS4, /* 1080 */
    PAC_PLACE_SOCKS5, /* 1080 */
};

struct pac_place {
    enum pac_place_kind kind;
    struct span host; /* without brackets; empty for DIRECT; points into the text that was read */
    uint16_t port;
};

struct pac_result {
    struct pac_place *places;
    size_t n;
    struct buf notes; /* a sentence for each entry that was skipped, each followed by LF */
};

#define PAC_PLACES_MAX ((size_t)64)

void pac_result_read(struct pac_result *r, struct span text);
void pac_result_free(struct pac_result *r);

/* "PROXY", for people. */
const char *pac_place_name(enum pac_place_kind kind);

#endif
