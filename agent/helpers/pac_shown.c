/*
 * The URL as a script sees it, put together from parts that we have checked, so that none of it can be mistaken for another part.
 */
#include "helpers/pac_shown.h"

static const struct {
    struct span scheme;
    uint16_t port;
} schemes[] = {{{"http", 4}, 80}, {{"https", 5}, 443}, {{"ws", 2}, 80}, {{"wss", 3}, 443}, {{"ftp", 3}, 21}};

static bool is_default(struct span scheme, uint16_t port)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (span_ieq(schemes[i].scheme, scheme))
            return schemes[i].port == port;
    return false;
}

/* Path and query of an absolute URL; empty: it has none. */
static struct span path_of(struct span url)
{
    url = span_head(url, span_find(url, '#'));
    size_t colon = span_find(url, ':');
    struct span rest = span_from(url, colon);
    if (!span_starts(rest, SPAN("://")))
        return (struct span){0};
    rest = span_from(rest, 3);
    size_t end = 0;
    while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
        end++;
    return span_from(rest, end);
}

static bool add_lower(struct buf *out, struct span text)
{
    if (!buf_add_span(out, text))
        return false;
    for (size_t i = out->n - text.n; i < out->n; i++)
        if (out->p[i] >= 'A' && out->p[i] <= 'Z')
            out->p[i] = (char)(out->p[i] - 'A' + 'a');
    return true;
}

bool pac_shown_url(struct buf *out, struct span scheme, struct span host, uint16_t port, struct span url)
{
    bool v6 = span_find(host, ':') < host.n && !span_starts(host, SPAN("["));
    struct span path = span_ieq(scheme, SPAN("http")) ? path_of(url) : (struct span){0};
    return add_lower(out, scheme) && buf_add_str(out, v6 ? "://[" : "://") && add_lower(out, host) &&
           buf_add_str(out, v6 ? "]" : "") && (is_default(scheme, port) || buf_addf(out, ":%u", port)) &&
           buf_add_str(out, path.n && path.p[0] == '/' ? "" : "/") && buf_add_span(out, path);
}
