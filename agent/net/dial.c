/*
 * Dialling: the look-up in libuv's pool, then attempts that overlap. The dial owns its attempts; a stream that wins is handed over, all
 * others are closed. A cancelled look-up still comes back from the pool: the dial's memory waits for it.
 */
#include "net/dial.h"

#include <stdio.h>
#include <stdlib.h>

#include "net/bridge.h"
#include "net/listen.h"
#include "net/secure.h"
#include "net/uv_loop.h"
#include "net/uv_stream.h"

#define STAGGER_MS        250 /* RFC 8305 section 5: Connection Attempt Delay */
#define ADDRESSES_MAX     16
#define KEEPALIVE_SECONDS 60

struct attempt {
    uv_connect_t connect;
    struct dial *dial;
    struct stream *stream; /* NULL: not running */
};

struct dial {
    struct loop *loop;
    const struct dial_events *events;
    void *owner;
    char *host;
    uint16_t port;
    uv_getaddrinfo_t lookup;
    bool looking_up;
    bool outside;     /* dial_outside */
    bool kept_out;    /* and an address has been left out for it */
    bool ended;       /* told or cancelled: free as soon as nothing of libuv's points here */
    unsigned pending; /* connect callbacks still to come */
    struct sockaddr_storage addresses[ADDRESSES_MAX];
    struct attempt attempts[ADDRESSES_MAX];
    size_t n_addresses, next;
    int last_error;
    struct tls_client *tls; /* NULL: the connection itself is what is wanted */
    struct stream *shaking; /* the winner, during its handshake */
    struct deadline overall, stagger;
    struct later begin;
};

static void free_when_quiet(struct dial *d)
{
    if (!d->ended || d->looking_up || d->pending)
        return;
    tls_client_unref(d->tls);
    free(d->host);
    free(d);
}

static void end_attempts(struct dial *d)
{
    deadline_stop(&d->stagger);
    for (size_t i = 0; i < d->next; i++) {
        if (d->attempts[i].stream) {
            stream_close(d->attempts[i].stream);
            d->attempts[i].stream = NULL;
        }
    }
}

static void end(struct dial *d)
{
    d->ended = true;
    deadline_stop(&d->overall);
    later_cancel(&d->begin);
    if (d->looking_up)
        uv_cancel((uv_req_t *)&d->lookup);
    end_attempts(d);
    if (d->shaking)
        stream_close(d->shaking);
    d->shaking = NULL;
}

static void fail(struct dial *d, enum dial_failure kind, const struct err *why)
{
    end(d);
    d->events->failed(d->owner, kind, why);
    free_when_quiet(d);
}

static void fail_uv(struct dial *d, enum dial_failure kind, const char *what, int error)
{
    struct err why;
    if (error == UV_EMFILE || error == UV_ENFILE)
        kind = DIAL_DESCRIPTORS;
    else if (error == UV_ECONNREFUSED)
        kind = DIAL_REFUSED;
    err_set(&why, ERR_UNREACHABLE, "%s %s:%u: %s", what, d->host, d->port, uv_strerror(error));
    fail(d, kind, &why);
}

static void overall_passed(void *owner)
{
    struct dial *d = owner;
    struct err why;
    err_set(&why, ERR_TIMEOUT, "%s %s:%u took too long",
            d->looking_up ? "looking up"
            : d->shaking  ? "the TLS handshake with"
                          : "connecting to",
            d->host, d->port);
    fail(d, DIAL_TIMEOUT, &why);
}

/* --- the handshake --- */

static void succeed(struct dial *d, struct stream *s)
{
    end(d);
    d->events->connected(d->owner, s);
    free_when_quiet(d);
}

static void secured(void *owner)
{
    struct dial *d = owner;
    struct stream *s = d->shaking;
    d->shaking = NULL;
    succeed(d, s);
}

static void insecure(void *owner, const struct err *why)
{
    struct dial *d = owner;
    struct err whole;
    err_set(&whole, why->code, "no TLS with %s:%u: %s", d->host, d->port, why->text);
    fail(d, DIAL_TLS, &whole);
}

static void no_data(void *owner, struct span bytes)
{
    (void)owner;
    (void)bytes;
}

static void nothing(void *owner)
{
    (void)owner;
}

static void shake_hands(struct dial *d, struct stream *s)
{
    static const struct stream_events events = {no_data, nothing, nothing, insecure};
    end_attempts(d);
    d->shaking = s;
    stream_own(s, &events, d);
    stream_secure(s, d->tls, secured);
}

/* --- the connection --- */

static void start_next(void *owner);

static bool any_running(const struct dial *d)
{
    for (size_t i = 0; i < d->next; i++)
        if (d->attempts[i].stream)
            return true;
    return false;
}

static void was_connected(uv_connect_t *request, int status)
{
    struct attempt *a = request->data;
    struct dial *d = a->dial;
    d->pending--;
    struct stream *s = a->stream;
    a->stream = NULL;
    if (!s) { /* another one has won, or the dial has ended */
        free_when_quiet(d);
        return;
    }
    if (status == 0) {
        uv_tcp_nodelay(&s->handle.tcp, 1);
        stream_keepalive(s, KEEPALIVE_SECONDS);
        stream_name_peer(s);
        if (d->tls)
            shake_hands(d, s);
        else
            succeed(d, s);
        return;
    }
    stream_close(s);
    d->last_error = status;
    if (d->next < d->n_addresses)
        start_next(d);
    else if (!any_running(d))
        fail_uv(d, DIAL_CONNECT, "cannot connect to", d->last_error);
}

static void start_next(void *owner)
{
    struct dial *d = owner;
    while (d->next < d->n_addresses) {
        struct attempt *a = &d->attempts[d->next];
        const struct sockaddr *address = (const struct sockaddr *)&d->addresses[d->next];
        d->next++;
        a->dial = d;
        a->connect.data = a;
        a->stream = stream_new_tcp(d->loop);
        int error = uv_tcp_connect(&a->connect, &a->stream->handle.tcp, address, was_connected);
        if (error == 0) {
            d->pending++;
            if (d->next < d->n_addresses)
                deadline_start(d->loop, &d->stagger, STAGGER_MS, start_next, d);
            return;
        }
        stream_close(a->stream);
        a->stream = NULL;
        d->last_error = error;
    }
    if (!any_running(d))
        fail_uv(d, DIAL_CONNECT, "cannot connect to", d->last_error);
}

/* An address of nobody (0.0.0.0, ::) reaches this machine too. */
static bool leads_here(const struct sockaddr *address)
{
    static const unsigned char nobody[4];
    if (listen_is_loopback(address))
        return true;
    if (address->sa_family == AF_INET)
        return ((const struct sockaddr_in *)address)->sin_addr.s_addr == INADDR_ANY;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
    return IN6_IS_ADDR_UNSPECIFIED(v6) ||
           (IN6_IS_ADDR_V4MAPPED(v6) && memcmp(v6->s6_addr + 12, nobody, sizeof nobody) == 0);
}

static void add_address(struct dial *d, const struct sockaddr *address, size_t size)
{
    if (d->outside && leads_here(address))
        d->kept_out = true;
    else if (d->n_addresses < ADDRESSES_MAX && size <= sizeof d->addresses[0])
        memcpy(&d->addresses[d->n_addresses++], address, size);
}

static void keep_out(struct dial *d)
{
    struct err why;
    err_set(&why, ERR_UNREACHABLE,
            "%s:%u is the machine where exeat runs, and clients from beyond it are not led to its loopback",
            d->host, d->port);
    fail(d, DIAL_KEPT_OUT, &why);
}

static void was_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *result)
{
    struct dial *d = request->data;
    d->looking_up = false;
    if (!d->ended && status == 0)
        for (const struct addrinfo *at = result; at; at = at->ai_next)
            add_address(d, at->ai_addr, at->ai_addrlen);
    uv_freeaddrinfo(result);
    if (d->ended)
        free_when_quiet(d);
    else if (d->n_addresses == 0 && d->kept_out)
        keep_out(d);
    else if (d->n_addresses == 0)
        fail_uv(d, DIAL_DNS, "cannot find", status ? status : UV_EAI_NONAME);
    else
        start_next(d);
}

static void begin(void *owner)
{
    struct dial *d = owner;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (uv_ip4_addr(d->host, d->port, &v4) == 0)
        add_address(d, (const struct sockaddr *)&v4, sizeof v4);
    else if (uv_ip6_addr(d->host, d->port, &v6) == 0)
        add_address(d, (const struct sockaddr *)&v6, sizeof v6);
    if (d->n_addresses) {
        start_next(d);
        return;
    }
    char service[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    snprintf(service, sizeof service, "%u", d->port);
    d->lookup.data = d;
    int error = uv_getaddrinfo(&d->loop->uv, &d->lookup, was_looked_up, d->host, service, &hints);
    if (error)
        fail_uv(d, DIAL_DNS, "cannot find", error);
    else
        d->looking_up = true;
}

struct dial *dial_start(struct loop *loop, struct span host, uint16_t port, unsigned timeout_ms,
                        const struct dial_events *events, void *owner)
{
    struct dial *d = mem_zero(sizeof *d);
    *d = (struct dial){.loop = loop, .events = events, .owner = owner, .host = span_dup(host), .port = port};
    deadline_start(loop, &d->overall, timeout_ms, overall_passed, d);
    later_start(loop, &d->begin, begin, d);
    return d;
}

static void no_bridge(void *owner)
{
    fail_uv(owner, DIAL_DESCRIPTORS, "cannot use the tunnel to", UV_EMFILE);
}

static void begin_inside(void *owner)
{
    struct dial *d = owner;
    struct stream *s = d->shaking;
    d->shaking = NULL;
    shake_hands(d, s);
}

struct dial *dial_inside(struct stream *s, struct span host, uint16_t port, struct tls_client *client,
                         unsigned timeout_ms, const struct dial_events *events, void *owner)
{
    struct dial *d = dial_start(stream_loop(s), host, port, timeout_ms, events, owner);
    dial_over_tls(d, client);
    d->shaking = bridge_over(s);
    later_cancel(&d->begin);
    later_start(d->loop, &d->begin, d->shaking ? begin_inside : no_bridge, d);
    return d;
}

void dial_over_tls(struct dial *d, struct tls_client *client)
{
    d->tls = tls_client_ref(client);
}

void dial_outside(struct dial *d)
{
    d->outside = true;
}

void dial_cancel(struct dial *d)
{
    end(d);
    free_when_quiet(d);
}
