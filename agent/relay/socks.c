/*
 * SOCKS clients: the handshake (socks_read.c) in front of a CONNECT, and its outcome in SOCKS's words. Bytes that the client sends behind its request
 * stay in c->in and go into the tunnel first.
 */
#include "base/log.h"
#include "relay/client.h"
#include "relay/socks_read.h"

/* HTTP at this door is a slip that everybody makes once: it gets an answer that its sender can read. */
static void answer_http(struct client *c, const struct socks_message *m)
{
    struct buf page = {0};
    const struct page what = {.cause = PAGE_BAD_REQUEST,
                              .why = span_str(m->why),
                              .remedy = span_str(m->remedy),
                              .tag = span_str(c->tag),
                              .close = true};
    page_write(&page, &what);
    stream_write(c->stream, buf_span(&page));
    buf_free(&page);
}

static void turn_down(struct client *c, const struct socks_message *m)
{
    log_warning(c->tag, "client %s: %s%s%s", stream_peer(c->stream), m->why, *m->remedy ? "; " : "",
                m->remedy);
    if (m->http)
        answer_http(c, m);
    else
        stream_write(c->stream, span_make(m->say, m->n_say));
    client_end(c);
}

static bool any_uses_client(const struct config *c)
{
    for (size_t i = 0; i < c->n_upstreams; i++)
        if (c->upstreams[i].client_credentials == CLIENT_CREDENTIALS_USE)
            return true;
    return false;
}

static void take(struct client *c)
{
    c->socks.wants_user = any_uses_client(c->relay->config);
    for (;;) {
        struct socks_message m;
        struct span in = buf_span(&c->in);
        enum socks_step step = socks_read(&c->socks, &in, &m);
        char host[SOCKS_MESSAGE_MOST];
        if (step == SOCKS_SAY && m.user.n)
            brought_set(&c->brought, m.user, m.password);
        if (step == SOCKS_CONNECT) /* the bytes under it are about to go */
            m.host = span_make(memcpy(host, m.host.p, m.host.n), m.host.n);
        client_drop(c, c->in.n - in.n);
        switch (step) {
        case SOCKS_MORE:
            client_wait(c);
            return;
        case SOCKS_SAY:
            stream_write(c->stream, span_make(m.say, m.n_say));
            break;
        case SOCKS_CONNECT:
            entrance_connect(c, m.host, m.port);
            return;
        case SOCKS_BAD:
            turn_down(c, &m);
            return;
        }
    }
}

static void reply(struct client *c, enum socks_code code)
{
    char text[10];
    stream_write(c->stream, span_make(text, socks_reply(&c->socks, code, text)));
}

static void established(struct client *c)
{
    reply(c, SOCKS_GRANTED);
}

static void failed(struct client *c, enum page_cause cause, struct span why)
{
    static const enum socks_code codes[] = {
        [PAGE_CLIENT_CREDENTIALS] = SOCKS_NOT_ALLOWED, [PAGE_NOT_ALLOWED] = SOCKS_NOT_ALLOWED,
        [PAGE_SITE_REFUSED] = SOCKS_NOT_ALLOWED,       [PAGE_DNS] = SOCKS_HOST_UNREACHABLE,
        [PAGE_UNREACHABLE] = SOCKS_HOST_UNREACHABLE,   [PAGE_REFUSED] = SOCKS_CONNECTION_REFUSED,
        [PAGE_CONNECT_TIMEOUT] = SOCKS_TTL_EXPIRED,    [PAGE_ANSWER_TIMEOUT] = SOCKS_TTL_EXPIRED,
        [PAGE_KDC_TIMEOUT] = SOCKS_TTL_EXPIRED,        [PAGE_TLS] = SOCKS_NETWORK_UNREACHABLE,
    };
    (void)why;
    enum socks_code code = cause < sizeof codes / sizeof *codes ? codes[cause] : SOCKS_GRANTED;
    reply(c, code ? code : SOCKS_GENERAL_FAILURE);
}

/* Whom admit does not let in: nothing of theirs is read, so the version is a guess; to a SOCKS4 program two bytes are as good as none. */
const struct entrance entrance_socks = {.tunnel = "SOCKS tunnel",
                                        .turned_away = {"\5\xFF", 2},
                                        .take = take,
                                        .established = established,
                                        .failed = failed};
