/*
 * no-proxy rules, read once into rows of one small type and matched in order.
 */
#include "route/bypass.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/buf.h"

enum rule_kind { RULE_NAME, RULE_SUFFIX, RULE_PATTERN, RULE_NETWORK, RULE_LOCAL };

struct rule {
    enum rule_kind kind;
    char *text;       /* the entry as written */
    struct span name; /* inside text: name, suffix with its dot, or pattern */
    int family;       /* RULE_NETWORK */
    unsigned char network[16];
    unsigned prefix; /* bits */
    uint16_t port;   /* 0: any */
};

struct bypass {
    struct rule *rules;
    size_t n;
};

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

static bool in_network(const struct rule *r, int family, const unsigned char address[16])
{
    if (family != r->family)
        return false;
    size_t whole = r->prefix / 8;
    unsigned rest = r->prefix % 8;
    if (memcmp(address, r->network, whole) != 0)
        return false;
    return rest == 0 || ((address[whole] ^ r->network[whole]) >> (8 - rest)) == 0;
}

/* '*' stands for any bytes; greedy with one step back, so linear in practice and never recursive. */
static bool matches_pattern(struct span pattern, struct span text)
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

static bool read_network(struct rule *r, struct span entry, size_t slash)
{
    uint64_t bits;
    struct span address = span_head(entry, slash);
    if (address.n > 2 && address.p[0] == '[' && address.p[address.n - 1] == ']')
        address = span_make(address.p + 1, address.n - 2);
    if (!read_address(address, &r->family, r->network) || !span_u64(span_from(entry, slash + 1), &bits) ||
        bits > (r->family == AF_INET ? 32u : 128u))
        return false;
    r->kind = RULE_NETWORK;
    r->prefix = (unsigned)bits;
    return true;
}

static bool sane_name(struct span name)
{
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (c <= ' ' || c == 0x7f || strchr("/\\@?#,\"<>[]", c))
            return false;
    }
    return name.n > 0;
}

static bool read_rule(struct rule *r)
{
    struct span entry = span_str(r->text);
    size_t slash = span_find(entry, '/');
    if (slash < entry.n)
        return read_network(r, entry, slash);
    if (span_ieq(entry, SPAN("<local>"))) {
        r->kind = RULE_LOCAL;
        return true;
    }
    if (!split_port(&entry, &r->port))
        return false;
    if (read_address(entry, &r->family, r->network)) {
        r->kind = RULE_NETWORK;
        r->prefix = r->family == AF_INET ? 32 : 128;
        return true;
    }
    if (!sane_name(entry))
        return false;
    r->name = entry;
    if (span_find(entry, '*') < entry.n)
        r->kind = RULE_PATTERN;
    else
        r->kind = span_starts(entry, SPAN(".")) ? RULE_SUFFIX : RULE_NAME;
    return true;
}

struct bypass *bypass_new(char **entries, size_t n, struct err *e)
{
    struct bypass *b = mem_zero(sizeof *b);
    b->rules = mem_zero(n * sizeof *b->rules);
    for (size_t i = 0; i < n; i++) {
        struct rule *r = &b->rules[b->n++];
        r->text = mem_strdup(entries[i]);
        if (!read_rule(r)) {
            err_set(e, ERR_CONFIG,
                    "no-proxy: cannot read \"%s\"; write a name, .suffix, *pattern*, address, network/bits "
                    "or <local>, with :port if wanted",
                    entries[i]);
            bypass_free(b);
            return NULL;
        }
    }
    return b;
}

void bypass_free(struct bypass *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->n; i++)
        free(b->rules[i].text);
    free(b->rules);
    free(b);
}

static bool matches(const struct rule *r, struct span host, int family, const unsigned char address[16])
{
    switch (r->kind) {
    case RULE_NETWORK:
        return family && in_network(r, family, address);
    case RULE_LOCAL:
        return !family && span_find(host, '.') == host.n;
    case RULE_NAME:
        return span_ieq(host, r->name);
    case RULE_SUFFIX:
        return span_iends(host, r->name) || span_ieq(host, span_from(r->name, 1));
    case RULE_PATTERN:
        return matches_pattern(r->name, host);
    }
    return false;
}

const char *bypass_match(const struct bypass *b, struct span host, uint16_t port)
{
    unsigned char address[16];
    int family = 0;
    read_address(host, &family, address);
    if (!family && host.n && host.p[host.n - 1] == '.') /* the rooted form of the same name */
        host.n--;
    for (size_t i = 0; i < b->n; i++) {
        const struct rule *r = &b->rules[i];
        if ((r->port == 0 || r->port == port) && matches(r, host, family, address))
            return r->text;
    }
    return NULL;
}
