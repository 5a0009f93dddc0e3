/*
 * Destinations on a command line. The authority is read by the same function as that of requests.
 */
#include "route/destination.h"

#include "http/target.h"

bool destination_read(struct span text, struct span *host, uint16_t *port, struct err *e)
{
    struct span rest = text;
    bool ipv6;
    uint16_t usual = 80;
    const char *slashes = text.n ? memmem(text.p, text.n, "://", 3) : NULL;
    if (slashes) {
        struct span scheme = span_head(text, (size_t)(slashes - text.p));
        if (span_ieq(scheme, SPAN("https")) || span_ieq(scheme, SPAN("wss")))
            usual = 443;
        rest = span_from(text, scheme.n + 3);
    }
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#')
        n++;
    return target_authority(span_head(rest, n), usual, host, &ipv6, port) ||
           err_set(e, ERR_USAGE, "\"%.*s\" is no address: write https://HOST/, HOST:PORT or HOST",
                   SPAN_ARG(span_head(text, 80)));
}

struct span destination_scheme(struct span text, uint16_t port)
{
    bool named = text.n && memmem(text.p, text.n, "://", 3);
    bool http = named ? span_istarts(text, SPAN("http://")) : port == 80; /* ws: goes through a tunnel */
    return http ? SPAN("http") : SPAN("https");
}
