/*
 * Our own pages: one row each. All others get a sentence on how a proxy is used.
 */
#include "relay/home.h"

#include <arpa/inet.h>
#include <inttypes.h>

#include "relay/client.h"
#include "relay/metrics.h"
#include "relay/reply.h"

/* The PAC file must lead to where this client has found us. There is no "; DIRECT" behind it: going without the proxy is for the configuration to say. */
static void pac_page(struct exchange *e, struct buf *out)
{
    buf_add_str(out, "function FindProxyForURL(url, host) {\n    return \"PROXY ");
    target_add_authority(out, e->target.host, e->target.port);
    buf_add_str(out, "\";\n}\n");
}

static void status_page(struct exchange *e, struct buf *out)
{
    const struct counters *c = &e->relay->out->counters;
    size_t n;
    struct way *ways = route_table_ways(e->relay->routes, &n);
    buf_addf(out,
             "exeat " EXEAT_VERSION " is running: a proxy on this machine.\n\n"
             "Use it:      export http_proxy=http://%.*s https_proxy=http://%.*s\n"
             "Or:          http://%.*s/exeat.pac as automatic proxy configuration\n"
             "More:        exeat status\n\n",
             SPAN_ARG(e->target.authority), SPAN_ARG(e->target.authority), SPAN_ARG(e->target.authority));
    for (size_t i = 0; i < n; i++)
        buf_addf(out, "%s%s\n", ways[i].reason,
                 ways[i].detour ? ": no proxy can be reached; requests go direct" : "");
    buf_addf(out, "requests: %" PRIu64 "\ntunnels: %" PRIu64 "\nprograms connected: %zu\n", c->requests,
             c->tunnels, (size_t)e->relay->clients_open);
}

static void metrics_page(struct exchange *e, struct buf *out)
{
    metrics_write(e->relay, out);
}

static const struct {
    const char *path, *type;
    void (*write)(struct exchange *e, struct buf *out);
    bool figures; /* of the door for those alone, which has nothing else */
} pages[] = {
    {"/exeat.pac", "application/x-ns-proxy-autoconfig", pac_page, false},
    {"/", "text/plain; charset=utf-8", status_page, false},
    {"/metrics", METRICS_TYPE, metrics_page, true},
};

static bool is_loopback(struct span host)
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;
    if (span_ieq(host, SPAN("localhost")))
        return true;
    if (host.n >= sizeof text)
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    if (inet_pton(AF_INET, text, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool origin_is_here(struct span origin)
{
    struct span host;
    bool ipv6;
    uint16_t port;
    const char *slashes = origin.n ? memmem(origin.p, origin.n, "://", 3) : NULL;
    return slashes &&
           target_authority(span_from(origin, (size_t)(slashes - origin.p) + 3), 80, &host, &ipv6, &port) &&
           is_loopback(host);
}

static bool is_from_here(const struct exchange *e)
{
    for (const struct field *f = head_field(&e->head, "Origin"); f; f = head_field_next(&e->head, f))
        if (!origin_is_here(f->value))
            return false;
    return is_loopback(e->target.host);
}

static bool reads(const struct exchange *e)
{
    return span_eq(e->head.method, SPAN("GET")) || span_eq(e->head.method, SPAN("HEAD"));
}

/* Its place in `pages`, or their number. */
static size_t page_of(const struct exchange *e)
{
    size_t i = 0, n = sizeof pages / sizeof *pages;
    if (e->target.form != TARGET_ORIGIN || !reads(e))
        return n;
    struct span path = span_head(e->target.path, span_find(e->target.path, '?'));
    while (i < n &&
           (pages[i].figures != e->client->entrance->figures || !span_eq(path, span_str(pages[i].path))))
        i++;
    return i;
}

/* A client of another machine may write any Host. */
bool home_has(const struct exchange *e)
{
    return page_of(e) < sizeof pages / sizeof *pages && is_from_here(e) && !client_is_beyond(e->client);
}

void home_answer(struct exchange *e)
{
    size_t i = page_of(e);
    struct buf text = {0};
    if (home_has(e)) {
        pages[i].write(e, &text);
        reply_document(e, span_str(pages[i].type), buf_span(&text));
        buf_free(&text);
        return;
    }
    e->keep_client = false;
    if (i < sizeof pages / sizeof *pages)
        reply_page(
            e, PAGE_NOT_ALLOWED, 0,
            SPAN("this page of exeat is for this machine alone, and the request comes from another host or "
                 "names one"),
            SPAN("on the machine where exeat runs, open it as http://127.0.0.1 with the port"));
    else if (e->client->entrance->figures)
        reply_page(e, PAGE_BAD_REQUEST, 404,
                   SPAN("this address has figures for a monitoring system and nothing else"),
                   SPAN("GET /metrics"));
    else
        reply_page(e, PAGE_BAD_REQUEST, 0,
                   SPAN("this is a proxy, and the request is written for a web server"),
                   SPAN("set http_proxy and https_proxy to this address instead of opening it"));
}
