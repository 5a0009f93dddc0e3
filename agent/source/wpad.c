/*
 * resolv.conf(5): of several `search` and `domain` lines the last one counts.
 */
#include "source/wpad.h"

#include <stdlib.h>

static bool is_label(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && c != '_' && (c != '-' || i == 0 || i + 1 == s.n))
            return false;
    }
    return s.n > 0 && s.n <= 63;
}

/* Two labels at least, the last of which is no number (an address), without the dot at the end. */
static bool is_domain(struct span *domain)
{
    if (span_ends(*domain, SPAN(".")))
        domain->n--;
    struct span rest = *domain, label = {0};
    size_t labels = 0;
    uint64_t number;
    if (rest.n == 0 || rest.n > 240 || span_ends(rest, SPAN(".")))
        return false;
    while (rest.n) {
        label = span_cut(&rest, '.');
        labels++;
        if (!is_label(label))
            return false;
    }
    return labels >= 2 && !span_u64(label, &number);
}

static bool known(char *const *hosts, size_t n, const char *host)
{
    for (size_t i = 0; i < n; i++)
        if (span_ieq(span_str(hosts[i]), span_str(host)))
            return true;
    return false;
}

static size_t add_domains(struct span domains, char *hosts[WPAD_DOMAINS])
{
    size_t n = 0;
    struct span domain;
    while (n < WPAD_DOMAINS && (domain = span_word(&domains)).n) {
        if (!is_domain(&domain))
            continue;
        struct buf host = {0};
        buf_addf(&host, "wpad.%.*s.", SPAN_ARG(domain));
        if (!known(hosts, n, buf_cstr(&host)))
            hosts[n++] = mem_strdup(buf_cstr(&host));
        buf_free(&host);
    }
    return n;
}

size_t wpad_hosts(struct span resolv_conf, struct span machine, char *hosts[WPAD_DOMAINS])
{
    struct span domains = {0};
    bool told = false;
    while (resolv_conf.n) {
        struct span line = span_cut(&resolv_conf, '\n'), word = span_word(&line);
        bool search = span_eq(word, SPAN("search"));
        if (!search && !span_eq(word, SPAN("domain")))
            continue;
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        told = true;
        struct span first = line;
        domains = search ? line : span_word(&first);
    }
    if (!told)
        domains = span_from(machine, span_find(machine, '.') + 1);
    return add_domains(domains, hosts);
}
