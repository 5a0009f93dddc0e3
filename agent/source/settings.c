/*
 * The texts come from files and programs of the user's own, but by way of whoever wrote them there: what is no host name does not come through.
 */
#include "source/settings.h"

#include <stdlib.h>

#define IGNORED_MOST 1000

static void free_proxy(struct settings_proxy *p)
{
    free(p->host);
    *p = (struct settings_proxy){0};
}

void settings_free(struct settings *s)
{
    free(s->pac);
    free_proxy(&s->http);
    free_proxy(&s->https);
    free_proxy(&s->socks);
    for (size_t i = 0; i < s->n_ignore; i++)
        free(s->ignore[i]);
    free(s->ignore);
    *s = (struct settings){0};
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_proxy(const struct settings_proxy *a, const struct settings_proxy *b)
{
    return same_text(a->host, b->host) && a->port == b->port && a->tls == b->tls;
}

bool settings_equal(const struct settings *a, const struct settings *b)
{
    if (a->say != b->say || a->say != SETTINGS_MANUAL)
        return a->say == b->say && (a->say != SETTINGS_PAC || same_text(a->pac, b->pac));
    bool same = same_proxy(&a->http, &b->http) && same_proxy(&a->https, &b->https) &&
                same_proxy(&a->socks, &b->socks) && a->n_ignore == b->n_ignore &&
                a->ignore_all_else == b->ignore_all_else;
    for (size_t i = 0; same && i < a->n_ignore; i++)
        same = same_text(a->ignore[i], b->ignore[i]);
    return same;
}

void settings_ignore(struct settings *s, struct span host)
{
    host = span_trim(host);
    if (host.n == 0 || s->n_ignore == IGNORED_MOST)
        return;
    s->ignore = mem_grow(s->ignore, (s->n_ignore + 1) * sizeof *s->ignore);
    s->ignore[s->n_ignore++] = span_dup(host);
}

static bool is_host(struct span host)
{
    bool v6 = span_find(host, ':') != host.n;
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && !(c && strchr(v6 ? ":." : ".-_", c)))
            return false;
    }
    return host.n > 0 && host.n <= 255 && host.p[0] != '-';
}

bool settings_proxy_set(struct settings_proxy *p, struct span host, uint64_t port)
{
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = span_make(host.p + 1, host.n - 2);
    if (!is_host(host) || port == 0 || port > 65535)
        return false;
    free(p->host);
    p->host = span_dup(host);
    p->port = (uint16_t)port;
    return true;
}

bool settings_proxy_read(struct settings_proxy *p, struct span text, uint16_t port, struct span *scheme)
{
    text = span_trim(text);
    const char *slashes = text.n ? memmem(text.p, text.n, "://", 3) : NULL;
    *scheme = span_head(text, slashes ? (size_t)(slashes - text.p) : 0);
    struct span rest = slashes ? span_from(text, scheme->n + 3) : text;
    if (span_find(rest, '@') != rest.n)
        return false;
    while (rest.n && rest.p[rest.n - 1] == '/')
        rest.n--;
    size_t blank = span_find(rest, ' '), colon = span_rfind(rest, ':');
    size_t bracket = span_rfind(rest, ']');
    size_t end = blank < rest.n                                             ? blank
                 : colon < rest.n && (bracket == rest.n || bracket < colon) ? colon
                                                                            : rest.n;
    uint64_t number = port                                   ? port
                      : span_istarts(*scheme, SPAN("socks")) ? 1080
                      : span_ieq(*scheme, SPAN("https"))     ? 443
                      : scheme->n                            ? 80
                                                             : 0;
    if (end < rest.n && !span_u64(span_trim(span_from(rest, end + 1)), &number))
        return false;
    p->tls = span_ieq(*scheme, SPAN("https"));
    struct span host = span_head(rest, end);
    while (host.n && host.p[host.n - 1] == '/')
        host.n--;
    return settings_proxy_set(p, host, number);
}
