/*
 * URLs come from the configuration, from the desktop's settings and from servers that redirect: what a head could not carry, or what would
 * mean different things to different readers, is refused.
 */
#include "base/url.h"

#define URL_LONGEST 8192

bool url_has_scheme(struct span text, const char *scheme)
{
    struct span s = span_str(scheme);
    return text.n > s.n && span_istarts(text, s) && text.p[s.n] == ':';
}

/* Where the first of these characters is, or the end. */
static size_t first_of(struct span s, const char *set)
{
    size_t i = 0;
    while (i < s.n && !strchr(set, s.p[i]))
        i++;
    return i;
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool all_printable(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
            return false;
    return true;
}

static bool is_host(struct span host, bool ipv6)
{
    for (size_t i = 0; i < host.n; i++)
        if (!is_alnum(host.p[i]) && !strchr(ipv6 ? ":." : ".-_", host.p[i]))
            return false;
    return host.n > 0 && host.n <= 255 && host.p[0] != '-';
}

static const char *read_authority(struct url *u, struct span authority)
{
    static const char no_host[] = "has no host name or address that can be read";
    struct span port = {0};
    if (span_find(authority, '@') != authority.n)
        return "has a user name or password in it: a script is fetched without either";
    u->ipv6 = authority.n && authority.p[0] == '[';
    size_t end = span_find(authority, u->ipv6 ? ']' : ':');
    if (u->ipv6) {
        if (end == authority.n)
            return no_host;
        u->host = span_make(authority.p + 1, end - 1);
        port = span_from(authority, end + 1);
    } else {
        u->host = span_head(authority, end);
        port = span_from(authority, end);
    }
    if (!is_host(u->host, u->ipv6))
        return no_host;
    if (port.n > 1) {
        uint64_t number;
        if (port.p[0] != ':' || !span_u64(span_from(port, 1), &number) || number == 0 || number > 65535)
            return "has a port that is none from 1 to 65535";
        u->port = (uint16_t)number;
    } else if (port.n && port.p[0] != ':') {
        return no_host;
    }
    return NULL;
}

const char *url_read(struct url *u, struct span text)
{
    *u = (struct url){.tls = url_has_scheme(text, "https")};
    if (!u->tls && !url_has_scheme(text, "http"))
        return "is no http:// or https:// URL";
    struct span rest = span_from(text, u->tls ? 6 : 5);
    if (!span_starts(rest, SPAN("//")))
        return "is no http:// or https:// URL";
    rest = span_from(rest, 2);
    if (text.n > URL_LONGEST)
        return "is too long";
    size_t end = first_of(rest, "/?#");
    u->port = u->tls ? 443 : 80;
    const char *wrong = read_authority(u, span_head(rest, end));
    if (wrong)
        return wrong;
    if (!all_printable(text))
        return "has a blank or another character in it that a URL cannot have (write it as %20 and such)";
    rest = span_from(rest, end);
    u->path = span_head(rest, span_find(rest, '#'));
    return NULL;
}

void url_shown(struct span text, struct buf *out)
{
    size_t end = first_of(text, "?#");
    buf_add_span(out, span_head(text, end));
    if (end < text.n && text.p[end] == '?')
        buf_add_str(out, "?...");
}

/* --- references --- */

/* RFC 3986 section 5.2.4. `path` begins with '/'. */
static void add_without_dots(struct buf *out, struct span path)
{
    size_t begin = out->n;
    while (path.n) {
        struct span segment = span_head(path, 1 + span_find(span_from(path, 1), '/'));
        bool last = segment.n == path.n;
        path = span_from(path, segment.n);
        struct span name = span_from(segment, 1);
        bool up = span_eq(name, SPAN("..")), here = span_eq(name, SPAN("."));
        struct span done = span_make(out->p + begin, out->n - begin);
        if (up && done.n)
            out->n = begin + span_rfind(done, '/');
        if (!up && !here)
            buf_add_span(out, segment);
        else if (last)
            buf_add_str(out, "/");
    }
}

static bool names_a_scheme(struct span s)
{
    size_t end = first_of(s, ":/?#");
    if (end == 0 || end == s.n || s.p[end] != ':')
        return false;
    for (size_t i = 0; i < end; i++)
        if (!is_alnum(s.p[i]) && !strchr("+-.", s.p[i]))
            return false;
    return true;
}

/* Scheme, authority, path without query. */
struct parts {
    struct span scheme, authority, path, query; /* "http:", "//host", "/p", "?q" */
};

static struct parts parts_of(struct span base)
{
    struct parts p;
    p.scheme = span_head(base, 1 + span_find(base, ':'));
    base = span_from(base, p.scheme.n);
    p.authority = span_head(base, 2 + first_of(span_from(base, 2), "/?#"));
    base = span_from(base, p.authority.n);
    base.n = span_find(base, '#');
    p.path = span_head(base, span_find(base, '?'));
    p.query = span_from(base, p.path.n);
    return p;
}

void url_resolve(struct span base, struct span reference, struct buf *out)
{
    struct parts b = parts_of(base);
    buf_clear(out);
    reference.n = span_find(reference, '#');
    if (names_a_scheme(reference)) {
        buf_add_span(out, reference);
        return;
    }
    buf_add_span(out, b.scheme);
    if (span_starts(reference, SPAN("//"))) {
        buf_add_span(out, reference);
        return;
    }
    buf_add_span(out, b.authority);
    struct span path = span_head(reference, span_find(reference, '?'));
    struct buf merged = {0};
    if (path.n == 0)
        buf_add_span(&merged, b.path);
    else if (path.p[0] != '/')
        buf_addf(&merged, "%.*s/%.*s", SPAN_ARG(span_head(b.path, b.path.n ? span_rfind(b.path, '/') : 0)),
                 SPAN_ARG(path));
    else
        buf_add_span(&merged, path);
    add_without_dots(out, buf_span(&merged));
    buf_add_span(out, reference.n ? span_from(reference, path.n) : b.query);
    buf_free(&merged);
}
