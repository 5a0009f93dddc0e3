/*
 * Hops: made from the configuration or from a destination, shared by route tables, connections and requests.
 */
#include "route/hop.h"

#include <stdlib.h>

#include "base/buf.h"

#define DIRECT_CONNECTIONS 256
#define DIRECT_DIAL_MS     15000
#define DIRECT_ANSWER_MS   300000
#define FOUND_CONNECTIONS  64 /* as the settings of an upstream have it */
#define FOUND_DIAL_MS      10000
#define SLEEP_MS           1000 /* after the first failure */
#define SLEEP_MOST_MS      60000

static struct hop *hop_new(struct span host, uint16_t port)
{
    struct hop *h = mem_zero(sizeof *h);
    struct buf name = {0};
    h->refs = 1;
    list_init(&h->link);
    list_init(&h->faces);
    h->host = span_dup(host);
    h->port = port;
    buf_addf(&name, span_find(host, ':') < host.n ? "[%.*s]:%u" : "%.*s:%u", SPAN_ARG(host), port);
    h->name = span_dup(buf_span(&name));
    buf_free(&name);
    return h;
}

static struct tls_client *new_tls(const struct config_upstream *u, const struct config_proxy *p,
                                  struct err *e)
{
    struct tls_settings settings = {.host = span_str(p->host),
                                    .ca = u->ca,
                                    .pins = u->pins,
                                    .n_pins = u->n_pins,
                                    .certificate = u->certificate,
                                    .key = u->key};
    struct err why;
    struct tls_client *client = tls_client_new(&settings, &why);
    if (!client)
        err_set(e, why.code, "[upstream %s] %s", u->name, why.text);
    return client;
}

/* The pair goes in clear text: the rules of Basic. The keyholder has the last word. */
static bool upstream_shows_pair(const struct config_upstream *u, const struct config_proxy *p)
{
    for (size_t i = 0; i < u->n_auth; i++)
        if (u->auth[i] == AUTH_BASIC)
            return u->basic_in_clear || config_proxy_is_private(p);
    return false;
}

static bool read_exempt(struct hop *h, const struct config_upstream *u, struct err *e)
{
    struct err why;
    h->no_auth = mem_zero(u->n_no_auth * sizeof *h->no_auth);
    for (size_t i = 0; i < u->n_no_auth; i++) {
        if (!pattern_read(&h->no_auth[i], u->no_auth[i], &why))
            return err_set(e, why.code, "[upstream %s] no-auth: %s", u->name, why.text);
        h->n_no_auth++;
    }
    return true;
}

struct hop *hop_new_proxy(const struct config_upstream *u, const struct config_proxy *p, struct err *e)
{
    struct tls_client *tls = p->tls ? new_tls(u, p, e) : NULL;
    if (p->tls && !tls)
        return NULL;
    struct hop *h = hop_new(span_str(p->host), p->port);
    h->tls = tls;
    if (!read_exempt(h, u, e)) {
        hop_unref(h);
        return NULL;
    }
    h->uses_client = u->client_credentials == CLIENT_CREDENTIALS_USE;
    h->leaves_credentials = u->pass_authorization;
    h->upstream = mem_strdup(u->name);
    h->socks = p->socks;
    h->socks_password = p->socks && upstream_shows_pair(u, p);
    h->connect_always = u->connect_always && !p->socks;
    h->pass_credentials = !p->socks && u->client_credentials == CLIENT_CREDENTIALS_PASS;
    h->authenticates = !p->socks && u->n_auth > 0 && !h->pass_credentials;
    h->connections = u->connections;
    h->spares = u->spares;
    h->dial_ms = u->dial_timeout * 1000;
    h->answer_ms = u->answer_timeout * 1000;
    return h;
}

struct hop *hop_new_direct(struct span host, uint16_t port)
{
    struct hop *h = hop_new(host, port);
    h->connections = DIRECT_CONNECTIONS;
    h->dial_ms = DIRECT_DIAL_MS;
    h->answer_ms = DIRECT_ANSWER_MS;
    return h;
}

struct hop *hop_new_socks(struct span host, uint16_t port)
{
    struct hop *h = hop_new(host, port);
    h->socks = true;
    h->connections = FOUND_CONNECTIONS;
    h->dial_ms = FOUND_DIAL_MS;
    h->answer_ms = DIRECT_ANSWER_MS;
    return h;
}

struct hop *hop_new_found(struct span host, uint16_t port, bool tls, struct err *e)
{
    struct tls_settings settings = {.host = host};
    struct tls_client *client = tls ? tls_client_new(&settings, e) : NULL;
    if (tls && !client)
        return NULL;
    struct hop *h = hop_new(host, port);
    h->tls = client;
    h->found = true;
    h->connections = FOUND_CONNECTIONS;
    h->dial_ms = FOUND_DIAL_MS;
    h->answer_ms = DIRECT_ANSWER_MS;
    return h;
}

struct hop *hop_new_beyond(struct hop *through, struct span host, uint16_t port)
{
    struct hop *h = hop_new(host, port);
    struct buf name = {0};
    buf_addf(&name, "%s (through %s)", h->name, through->name);
    free(h->name);
    h->name = span_dup(buf_span(&name));
    buf_free(&name);
    h->connections = through->connections;
    h->answer_ms = through->answer_ms;
    hop_lead_through(h, &through, 1);
    return h;
}

void hop_lead_through(struct hop *h, struct hop *const *through, size_t n)
{
    h->through = mem_alloc(n * sizeof(struct hop *));
    for (size_t i = 0; i < n; i++)
        h->through[i] = hop_ref(through[i]);
    h->n_through = n;
}

struct hop *hop_ref(struct hop *h)
{
    h->refs++;
    return h;
}

void hop_unref(struct hop *h)
{
    if (!h || --h->refs > 0)
        return;
    list_remove(&h->link);
    if (h->pool)
        h->pool_free(h->pool);
    for (size_t i = 0; i < h->n_through; i++)
        hop_unref(h->through[i]);
    free(h->through);
    header_rules_unref(h->headers);
    tls_client_unref(h->tls);
    for (size_t i = 0; i < h->n_no_auth; i++)
        pattern_free(&h->no_auth[i]);
    free(h->no_auth);
    free(h->user);
    free(h->acts_for);
    free(h->known_as);
    secret_free(&h->password);
    hop_unref(h->base);
    free(h->upstream);
    free(h->asleep_why);
    free(h->host);
    free(h->name);
    free(h);
}

void hop_failed(struct hop *h, uint64_t now, unsigned random, const char *why)
{
    uint64_t sleep = SLEEP_MS;
    h = hop_base(h);
    for (unsigned i = 0; i < h->failures && sleep < SLEEP_MOST_MS; i++)
        sleep *= 2;
    if (sleep > SLEEP_MOST_MS)
        sleep = SLEEP_MOST_MS;
    h->failures++;
    h->asleep_until = now + sleep - random % (sleep / 4);
    free(h->asleep_why);
    h->asleep_why = mem_strdup(why);
}

void hop_wake(struct hop *h)
{
    h = hop_base(h);
    h->failures = 0;
    h->asleep_until = 0;
    free(h->asleep_why);
    h->asleep_why = NULL;
}

bool hop_asleep(const struct hop *h, uint64_t now)
{
    if (h->base)
        h = h->base;
    return h->asleep_until > now;
}

bool hop_is_direct(const struct hop *h)
{
    return h->upstream == NULL && !h->socks && !h->found;
}

bool hop_wants_beyond(const struct hop *h, bool tunnel)
{
    return h->socks || (h->connect_always && !tunnel);
}

const struct hop *hop_proxy(const struct hop *h)
{
    if (!hop_is_direct(h))
        return h;
    return h->n_through ? h->through[0] : NULL;
}

const char *hop_first_name(const struct hop *h)
{
    if (h->base)
        h = h->base;
    while (h->n_through)
        h = h->through[0];
    return hop_is_direct(h) ? NULL : h->name;
}

bool hop_meets(const struct hop *h, struct span upstream)
{
    bool meets = h->upstream && span_eq(span_str(h->upstream), upstream);
    for (size_t i = 0; i < h->n_through && !meets; i++)
        meets = hop_meets(h->through[i], upstream);
    return meets;
}
