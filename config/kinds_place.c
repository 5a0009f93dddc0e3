/*
 * Kinds of values that name a place in the network: where we listen, and where the proxies are. Names are not
 * looked up here. Any thread.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <sys/un.h>

#include "config/ini.h"
#include "config/kinds.h"

#define UNIX_PREFIX SPAN("unix:")

/* An IPv6 literal in its one canonical form (RFC 5952); NULL: it is not one. The caller frees. */
static char *canonical_ipv6(struct span text)
{
    struct in6_addr address;
    char canonical[INET6_ADDRSTRLEN];
    char *copy = span_dup(text);
    bool ok = strlen(copy) == text.n && inet_pton(AF_INET6, copy, &address) == 1 &&
              inet_ntop(AF_INET6, &address, canonical, sizeof canonical);
    free(copy);
    return ok ? mem_strdup(canonical) : NULL;
}

static bool is_host_name(struct span host)
{
    for (size_t i = 0; i < host.n; i++)
        if (!isalnum((unsigned char)host.p[i]) && host.p[i] != '.' && host.p[i] != '-' && host.p[i] != '_')
            return false;
    return host.n > 0 && host.p[0] != '-';
}

/* HOST:PORT or [IPV6]:PORT; *host is the caller's to free. Only the part in front of the port is ever quoted:
   what stands behind a colon may be a password. */
static bool split_host_port(struct span text, unsigned least_port, char **host, uint16_t *port, struct err *e)
{
    size_t colon = span_rfind(text, ':');
    struct span name = span_head(text, colon), digits = span_from(text, colon + 1);
    bool literal = name.n >= 2 && name.p[0] == '[' && name.p[name.n - 1] == ']';
    uint64_t number;
    if (text.n && text.p[0] == '[' && text.p[text.n - 1] == ']')
        colon = text.n;
    else if (!literal && span_find(name, ':') != name.n)
        return err_set(e, ERR_CONFIG, "an IPv6 address stands in brackets, and a port follows: [::1]:3128");
    if (colon == text.n)
        return err_set(e, ERR_CONFIG, "%s has no port; write HOST:PORT", shown(text).text);
    if (!span_u64(digits, &number) || number < least_port || number > 65535)
        return err_set(e, ERR_CONFIG, "what follows %s is not a port from %u to 65535",
                       shown(span_head(text, colon + 1)).text, least_port);
    *host = literal              ? canonical_ipv6(span_make(name.p + 1, name.n - 2))
            : is_host_name(name) ? span_dup(name)
                                 : NULL;
    if (!*host)
        return err_set(e, ERR_CONFIG, "%s is not a host name or address", shown(name).text);
    *port = (uint16_t)number;
    return true;
}

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return strcmp(host, "::1") == 0 || span_ieq(span_str(host), SPAN("localhost"));
}

bool config_proxy_is_private(const struct config_proxy *p)
{
    return p->tls || is_loopback(p->host);
}

static bool read_unix(struct span path, struct config_address *a, struct err *e)
{
    a->path = path_absolute(path, e);
    if (!a->path)
        return false;
    struct sockaddr_un address;
    if (strlen(a->path) < sizeof address.sun_path)
        return true;
    return err_set(e, ERR_CONFIG, "the path of a Unix socket has %zu bytes at most",
                   sizeof address.sun_path - 1);
}

static bool read_place(struct span text, struct config_address *a, struct err *e)
{
    a->text = span_dup(text);
    if (span_starts(text, UNIX_PREFIX))
        return read_unix(span_from(text, UNIX_PREFIX.n), a, e);
    return split_host_port(text, 0, &a->host, &a->port, e);
}

bool config_address_is_beyond(const struct config_address *a)
{
    return a->host && !is_loopback(a->host);
}

static bool read_address(struct span text, struct config_address *a, struct err *e)
{
    if (!read_place(text, a, e))
        return false;
    return !config_address_is_beyond(a) ||
           err_set(e, ERR_CONFIG,
                   "%s is not an address of this machine alone (127.0.0.1, [::1]), and only http in [listen] "
                   "can ask others who they are",
                   shown(text).text);
}

/* Where others may come, if there is somebody who may (whole_check_clients). Where a name leads is the network's word. */
static bool read_open_address(struct span text, struct config_address *a, struct err *e)
{
    unsigned char number[16];
    size_t colon = span_rfind(text, ':');
    if (colon < text.n && (colon == 0 || span_eq(span_head(text, colon), SPAN("*"))))
        return err_set(e, ERR_CONFIG,
                       "%s names no address; all of this machine's are 0.0.0.0:PORT and, for IPv6, [::]:PORT",
                       shown(text).text);
    if (!read_place(text, a, e))
        return false;
    return !config_address_is_beyond(a) || inet_pton(AF_INET, a->host, number) == 1 ||
           inet_pton(AF_INET6, a->host, number) == 1 ||
           err_set(e, ERR_CONFIG, "%s is a name; write the address that it stands for", shown(text).text);
}

/* http:// or https:// in front, where an address may have it. */
static bool read_gateway_address(struct span text, struct config_address *a, struct err *e)
{
    const char *slashes = text.n ? memmem(text.p, text.n, "://", 3) : NULL;
    struct span scheme = span_head(text, slashes ? (size_t)(slashes - text.p) + 3 : 0);
    bool tls = span_ieq(scheme, SPAN("https://"));
    if (scheme.n && !tls && !span_ieq(scheme, SPAN("http://")))
        return err_set(e, ERR_CONFIG, "%s: a gateway listens on http:// or https://", shown(text).text);
    if (!read_open_address(span_from(text, scheme.n), a, e))
        return false;
    if (tls && a->path)
        return err_set(e, ERR_CONFIG, "%s: a Unix socket is this machine's, and needs no TLS",
                       shown(text).text);
    a->tls = tls;
    return true;
}

static bool add_address(const struct kind *kind, struct config_address **list, size_t *n, struct span text,
                        struct err *e)
{
    *list = mem_grow(*list, (*n + 1) * sizeof **list);
    struct config_address *a = &(*list)[(*n)++];
    *a = (struct config_address){0};
    if (!(kind == &kind_gateway_addresses ? read_gateway_address(text, a, e)
          : kind == &kind_open_addresses  ? read_open_address(text, a, e)
                                          : read_address(text, a, e)))
        return false;
    for (size_t i = 0; i + 1 < *n; i++)
        if (strcmp((*list)[i].text, a->text) == 0 && (a->path || a->port != 0))
            return err_set(e, ERR_CONFIG, "%s stands here twice", shown(text).text);
    return true;
}

static bool parse_addresses(const struct setting *s, void *object, struct span value, struct err *e)
{
    struct config_address **list = (struct config_address **)((char *)object + s->at);
    size_t *n = (size_t *)((char *)object + s->also_at);
    struct buf item;
    buf_init(&item, 0);
    if (s->least == 0 && span_eq(value, SPAN("none")))
        return true;
    int more;
    bool ok = true;
    while (ok && (more = ini_item(&value, &item, e)) > 0)
        ok = add_address(s->kind, list, n, buf_span(&item), e);
    ok = ok && more == 0;
    if (ok && *n == 0)
        ok = err_set(e, ERR_CONFIG, "at least one address is needed, like %s%s",
                     s->example ? s->example : "127.0.0.1:3128", s->least ? "" : ", or the word none");
    buf_free(&item);
    return ok;
}

static bool print_addresses(const struct setting *s, const void *object, struct buf *out)
{
    const struct config_address *list = *(struct config_address *const *)((const char *)object + s->at);
    size_t n = *(const size_t *)((const char *)object + s->also_at);
    for (size_t i = 0; i < n; i++) {
        buf_add_str(out, i ? " " : "");
        buf_add_str(out, list[i].tls ? "https://" : "");
        ini_put_item(out, span_str(list[i].text));
    }
    buf_add_str(out, n ? "" : "none");
    return true;
}

const struct kind kind_addresses = {
    "127.0.0.1:PORT, [::1]:PORT or unix:PATH; any number, separated by blanks", true, parse_addresses,
    print_addresses};
const struct kind kind_open_addresses = {"127.0.0.1:PORT, [::1]:PORT or unix:PATH; others with allow and "
                                         "[client NAME]; any number, separated by blanks",
                                         true, parse_addresses, print_addresses};

const struct kind kind_gateway_addresses = {
    "HOST:PORT, http://HOST:PORT, https://HOST:PORT or unix:PATH; any number, separated by blanks", true,
    parse_addresses, print_addresses};

static bool parse_target(const struct setting *s, void *object, struct span value, struct err *e)
{
    struct config_address *a = (struct config_address *)((char *)object + s->at);
    a->text = span_dup(value);
    return split_host_port(value, 1, &a->host, &a->port, e);
}

static bool print_target(const struct setting *s, const void *object, struct buf *out)
{
    const struct config_address *a = (const struct config_address *)((const char *)object + s->at);
    ini_put_value(out, span_str(a->text));
    return true;
}

const struct kind kind_target = {"HOST:PORT", false, parse_target, print_target};

/* The kinds of proxies. A name is handed to a SOCKS server as it is, so that both ways to write that are one. */
static const struct proxy_kind {
    const char *written, *shown;
    bool tls, socks;
} proxy_kinds[] = {
    {"http", "http", false, false},
    {"https", "https", true, false},
    {"socks5", "socks5", false, true},
    {"socks5h", "socks5", false, true},
};

static const struct proxy_kind *proxy_kind_of(struct span scheme)
{
    for (size_t i = 0; i < sizeof proxy_kinds / sizeof *proxy_kinds; i++)
        if (span_ieq(scheme, span_str(proxy_kinds[i].written)))
            return &proxy_kinds[i];
    return NULL;
}

/* The URL of a proxy: scheme, host, port, nothing else. */
static bool read_proxy(struct span url, struct config_proxy *p, struct err *e)
{
    if (span_find(url, '@') != url.n)
        return err_set(
            e, ERR_CONFIG,
            "a user name or password must not stand in a proxy's address: "
            "name the user with \"user = NAME\" in exeat.conf, and store the password with \"exeat login\"");
    struct span rest = url;
    const struct proxy_kind *kind = &proxy_kinds[0];
    const char *slashes = url.n ? memmem(url.p, url.n, "://", 3) : NULL;
    if (slashes) {
        size_t n = (size_t)(slashes - url.p);
        kind = proxy_kind_of(span_head(url, n));
        if (!kind)
            return err_set(e, ERR_CONFIG,
                           "proxies of the kind %s are not supported; write http://HOST:PORT, "
                           "https://HOST:PORT or socks5://HOST:PORT",
                           shown(span_head(url, n + 3)).text);
        rest = span_from(url, n + 3);
    }
    if (rest.n && rest.p[rest.n - 1] == '/')
        rest.n--;
    if (span_find(rest, '/') != rest.n)
        return err_set(e, ERR_CONFIG, "a proxy's address has no path; write http://HOST:PORT");
    if (!split_host_port(rest, 1, &p->host, &p->port, e))
        return false;
    p->tls = kind->tls;
    p->socks = kind->socks;
    struct buf text;
    buf_init(&text, 0);
    struct span host = span_str(p->host);
    bool bare = span_find(host, ':') == host.n;
    buf_addf(&text, bare ? "%s://%s:%u" : "%s://[%s]:%u", kind->shown, p->host, p->port);
    p->text = mem_strdup(buf_cstr(&text));
    buf_free(&text);
    return true;
}

bool proxies_add(struct config_upstream *u, struct span url, struct err *e)
{
    u->proxies = mem_grow(u->proxies, (u->n_proxies + 1) * sizeof *u->proxies);
    struct config_proxy *p = &u->proxies[u->n_proxies++];
    *p = (struct config_proxy){0};
    if (!read_proxy(url, p, e))
        return false;
    for (size_t i = 0; i + 1 < u->n_proxies; i++)
        if (span_eq(span_str(u->proxies[i].text), span_str(p->text)))
            return err_set(e, ERR_CONFIG, "%s stands here twice", p->text);
    return true;
}

static bool parse_proxies(const struct setting *s, void *object, struct span value, struct err *e)
{
    (void)s;
    struct config_upstream *u = object;
    struct buf item;
    buf_init(&item, 0);
    int more;
    bool ok = true;
    while (ok && (more = ini_item(&value, &item, e)) > 0)
        ok = proxies_add(u, buf_span(&item), e);
    buf_free(&item);
    if (!ok || more < 0)
        return false;
    return u->n_proxies > 0 ||
           err_set(e, ERR_CONFIG, "at least one proxy is needed, like http://proxy.corp.example:8080");
}

static bool print_proxies(const struct setting *s, const void *object, struct buf *out)
{
    (void)s;
    const struct config_upstream *u = object;
    for (size_t i = 0; i < u->n_proxies; i++) {
        buf_add_str(out, i ? " " : "");
        ini_put_item(out, span_str(u->proxies[i].text));
    }
    return u->n_proxies > 0;
}

const struct kind kind_proxies = {
    "http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT; any number, separated by blanks", true,
    parse_proxies, print_proxies};

bool place_is_listener(const char *host, uint16_t port, const struct config_address *listen, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (listen[i].path || listen[i].port != port)
            continue;
        struct span theirs = span_str(host), ours = span_str(listen[i].host);
        bool everywhere = span_eq(ours, SPAN("0.0.0.0")) || span_eq(ours, SPAN("::"));
        bool one_is_localhost =
            everywhere || span_ieq(theirs, SPAN("localhost")) || span_ieq(ours, SPAN("localhost"));
        if (span_ieq(theirs, ours) || (one_is_localhost && is_loopback(host)))
            return true;
    }
    return false;
}
