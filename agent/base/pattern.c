/*
 * One pattern for destinations: read once into a small struct, matched without allocation. Pure.
 */
#include "base/pattern.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/buf.h"

/* An address of either family; an IPv4-mapped IPv6 address counts as the IPv4 one, which is whom it reaches. */
static bool read_address(struct span text, int *family, unsigned char address[16])
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    char copy[INET6_ADDRSTRLEN];
    if (text.n == 0 || text.n >= sizeof copy)
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    if (inet_pton(AF_INET, copy, address) == 1) {
        *family = AF_INET;
        return true;
    }
    if (inet_pton(AF_INET6, copy, address) != 1)
        return false;
    *family = AF_INET6;
    if (memcmp(address, mapped, sizeof mapped) == 0) {
        memmove(address, address + 12, 4);
        *family = AF_INET;
    }
    return true;
}

static bool in_network(const struct pattern *p, int family, const unsigned char address[16])
{
    if (family != p->family)
        return false;
    size_t whole = p->prefix / 8;
    unsigned rest = p->prefix % 8;
    if (memcmp(address, p->network, whole) != 0)
        return false;
    return rest == 0 || ((address[whole] ^ p->network[whole]) >> (8 - rest)) == 0;
}

/* '*' stands for any bytes; greedy with one step back, so linear in practice and never recursive. */
static bool matches_stars(struct span pattern, struct span text)
{
    size_t p = 0, t = 0, star = pattern.n, resume = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.n && span_ieq(span_make(pattern.p + p, 1), span_make(text.p + t, 1))) {
            p++;
            t++;
        } else if (star < pattern.n) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

static bool read_port(struct span text, uint16_t *port)
{
    uint64_t value;
    if (!span_u64(text, &value) || value == 0 || value > 65535)
        return false;
    *port = (uint16_t)value;
    return true;
}

/* Splits ":port" off. One colon: host:port; several: an IPv6 literal, with a port only behind brackets. */
static bool split_port(struct span *host, uint16_t *port)
{
    if (host->n && host->p[0] == '[') {
        size_t close = span_find(*host, ']');
        if (close == host->n)
            return false;
        struct span rest = span_from(*host, close + 1);
        *host = span_make(host->p + 1, close - 1);
        return rest.n == 0 || (rest.p[0] == ':' && read_port(span_from(rest, 1), port));
    }
    size_t first = span_find(*host, ':');
    if (first == host->n || first != span_rfind(*host, ':'))
        return true;
    struct span number = span_from(*host, first + 1);
    *host = span_head(*host, first);
    return read_port(number, port);
}

/* Behind the slash a colon can only begin a port. The brackets of an IPv6 network may stand around the address or around all of it. */
static bool read_network(struct pattern *p, struct span entry)
{
    uint64_t bits;
    if (entry.p[0] == '[' && span_find(entry, ']') > span_find(entry, '/')) {
        if (!split_port(&entry, &p->port))
            return false;
    } else {
        size_t colon = span_find(entry, '/');
        colon += span_find(span_from(entry, colon), ':');
        if (colon < entry.n && !read_port(span_from(entry, colon + 1), &p->port))
            return false;
        entry = span_head(entry, colon);
    }
    size_t slash = span_find(entry, '/');
    struct span address = span_head(entry, slash);
    if (address.n > 2 && address.p[0] == '[' && address.p[address.n - 1] == ']')
        address = span_make(address.p + 1, address.n - 2);
    if (slash == entry.n || !read_address(address, &p->family, p->network) ||
        !span_u64(span_from(entry, slash + 1), &bits) || bits > (p->family == AF_INET ? 32u : 128u))
        return false;
    p->kind = PATTERN_NETWORK;
    p->prefix = (unsigned)bits;
    return true;
}

static bool sane_name(struct span name)
{
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (c <= ' ' || c >= 0x7f || strchr("/\\@?#,\"<>[]", c))
            return false;
    }
    return name.n > 0;
}

static bool read_entry(struct pattern *p)
{
    struct span entry = span_str(p->text);
    if (span_find(entry, '/') < entry.n)
        return read_network(p, entry);
    if (span_ieq(entry, SPAN("<local>"))) {
        p->kind = PATTERN_LOCAL;
        return true;
    }
    if (!split_port(&entry, &p->port))
        return false;
    if (read_address(entry, &p->family, p->network)) {
        p->kind = PATTERN_NETWORK;
        p->prefix = p->family == AF_INET ? 32 : 128;
        return true;
    }
    if (!sane_name(entry))
        return false;
    if (entry.n > 1 && entry.p[entry.n - 1] == '.') /* as destination_of has them */
        entry.n--;
    p->name = entry;
    if (span_find(entry, '*') < entry.n)
        p->kind = PATTERN_STARS;
    else
        p->kind = span_starts(entry, SPAN(".")) ? PATTERN_SUFFIX : PATTERN_NAME;
    return true;
}

static bool is_ascii(const char *text)
{
    while (*text && !(*text & 0x80))
        text++;
    return !*text;
}

bool pattern_read(struct pattern *p, const char *text, struct err *e)
{
    *p = (struct pattern){.text = mem_strdup(text)};
    if (read_entry(p))
        return true;
    pattern_free(p);
    return err_set(e, ERR_CONFIG,
                   "cannot read \"%s\"; write a name, .suffix, *pattern*, address, network/bits or <local>, "
                   "with :port if wanted%s",
                   text, is_ascii(text) ? "" : "; a name as requests have it (xn--...)");
}

bool pattern_check(struct span text, struct err *e)
{
    struct pattern p;
    char *copy = span_dup(text);
    bool ok = pattern_read(&p, copy, e);
    free(copy);
    if (ok)
        pattern_free(&p);
    return ok;
}

void pattern_free(struct pattern *p)
{
    free(p->text);
    *p = (struct pattern){0};
}

struct destination destination_of(struct span host, uint16_t port)
{
    struct destination d = {.host = host, .port = port};
    read_address(host, &d.family, d.address);
    if (!d.family && host.n && host.p[host.n - 1] == '.') /* the rooted form of the same name */
        d.host.n--;
    return d;
}

bool pattern_matches(const struct pattern *p, const struct destination *d)
{
    if (p->port && p->port != d->port)
        return false;
    switch (p->kind) {
    case PATTERN_NETWORK:
        return d->family && in_network(p, d->family, d->address);
    case PATTERN_LOCAL:
        return !d->family && span_find(d->host, '.') == d->host.n;
    case PATTERN_NAME:
        return span_ieq(d->host, p->name);
    case PATTERN_SUFFIX:
        return span_iends(d->host, p->name) || span_ieq(d->host, span_from(p->name, 1));
    case PATTERN_STARS:
        return matches_stars(p->name, d->host);
    }
    return false;
}
