/*
 * Request targets and authorities (RFC 9112 section 3.2, RFC 3986 section 3.2). What comes out of here is
 * used in names that we look up, in rules, in service names and in the log, so only plain host names, IPv4
 * and IPv6 addresses come out.
 *
 * Pure; any thread. The spans of a target live as long as the head that it was read from.
 */
#include "http/target.h"

#include <arpa/inet.h>

#include "http/octet.h"

#define HOST_MAX 255 /* bytes of a name in the DNS */

static bool refuse(struct fault *fault, unsigned status, const char *why)
{
    *fault = (struct fault){status, why};
    return false;
}

static bool is_ipv6(struct span text)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (text.n >= sizeof copy || memchr(text.p, '\0', text.n))
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    return inet_pton(AF_INET6, copy, &address) == 1;
}

bool target_authority(struct span text, uint16_t fallback, struct span *host, bool *ipv6, uint16_t *port)
{
    struct span rest;
    if (text.n && text.p[0] == '[') {
        size_t close = span_find(text, ']');
        *host = span_from(span_head(text, close), 1);
        if (close == text.n || !is_ipv6(*host))
            return false;
        *ipv6 = true;
        rest = span_from(text, close + 1);
    } else {
        *host = span_head(text, octet_run(text, OCTET_HOST));
        if (!host->n || host->n > HOST_MAX)
            return false;
        *ipv6 = false;
        rest = span_from(text, host->n);
    }
    uint64_t number = fallback;
    if (rest.n && rest.p[0] != ':')
        return false;
    if (rest.n > 6 || (rest.n > 1 && !span_u64(span_from(rest, 1), &number)))
        return false;
    *port = (uint16_t)number;
    return number > 0 && number <= UINT16_MAX;
}

bool target_add_authority(struct buf *out, struct span host, uint16_t port)
{
    bool brackets = span_find(host, ':') < host.n;
    return buf_addf(out, brackets ? "[%.*s]:%u" : "%.*s:%u", SPAN_ARG(host), (unsigned)port);
}

/* From the Host field, for the forms that carry no authority of their own. Without one (HTTP/1.0) it stays
 * empty. */
static void read_host_field(struct target *t, const struct head *h)
{
    const struct field *host = head_field(h, "Host");
    if (host && target_authority(host->value, 80, &t->host, &t->ipv6, &t->port))
        t->authority = host->value;
    else
        t->host = SPAN("");
}

static bool read_connect(struct target *t, const struct head *h, struct fault *fault)
{
    t->form = TARGET_AUTHORITY;
    t->authority = h->target;
    if (!target_authority(h->target, 0, &t->host, &t->ipv6, &t->port))
        return refuse(fault, 400, "the target of CONNECT is not HOST:PORT with a port from 1 to 65535");
    return true;
}

/* `rest` is what stands behind "://". */
static bool read_absolute(struct target *t, struct span rest, bool options, struct fault *fault)
{
    size_t end = 0;
    while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
        end++;
    t->form = TARGET_ABSOLUTE;
    t->authority = span_head(rest, end);
    t->path = end < rest.n ? span_from(rest, end) : options ? SPAN("*") : SPAN("/");
    if (span_find(t->authority, '@') < t->authority.n)
        return refuse(fault, 400, "the request target holds user information before the host name");
    if (!target_authority(t->authority, 80, &t->host, &t->ipv6, &t->port))
        return refuse(fault, 400, "the request target has no valid host name, or a port outside 1 to 65535");
    return true;
}

static bool is_scheme(struct span s)
{
    if (!s.n || !((s.p[0] | 0x20) >= 'a' && (s.p[0] | 0x20) <= 'z'))
        return false;
    for (size_t i = 1; i < s.n; i++)
        if (!octet_is(s.p[i], OCTET_HOST) && s.p[i] != '+')
            return false;
    return true;
}

bool target_read(struct target *t, const struct head *h, struct fault *fault)
{
    struct span text = h->target;
    *t = (struct target){.scheme = SPAN(""), .authority = SPAN(""), .host = SPAN(""), .path = SPAN("")};
    if (span_find(text, '#') < text.n)
        return refuse(fault, 400, "the request target holds a fragment, which is never sent");
    if (span_eq(h->method, SPAN("CONNECT")))
        return read_connect(t, h, fault);
    bool options = span_eq(h->method, SPAN("OPTIONS"));
    if (text.n && (text.p[0] == '/' || (options && span_eq(text, SPAN("*"))))) {
        t->form = text.p[0] == '/' ? TARGET_ORIGIN : TARGET_ASTERISK;
        t->path = text;
        read_host_field(t, h);
        return true;
    }
    struct span rest = text;
    t->scheme = span_cut(&rest, ':');
    if (!is_scheme(t->scheme) || !span_starts(rest, SPAN("//")))
        return refuse(fault, 400, "the request target is not one that a proxy can use: http://HOST/PATH is");
    rest = span_from(rest, 2);
    if (span_ieq(t->scheme, SPAN("https")))
        return refuse(fault, 400,
                      "an https:// target cannot be asked for in the clear: "
                      "the client must use CONNECT (set https_proxy to this proxy's http:// address)");
    if (!span_ieq(t->scheme, SPAN("http")))
        return refuse(fault, 501,
                      "only http:// targets, and CONNECT for everything else, are understood here");
    return read_absolute(t, rest, options, fault);
}
