/*
 * SOCKS5 servers, spoken to as exeat doctor does: what they want of whoever comes (RFC 1928 section 3), and a connection beyond them where they want
 * nothing. Nobody's password is shown to any.
 */
#include <inttypes.h>

#include "cli/doctor.h"
#include "upstream/socks_reply.h"

typedef enum socks_said (*socks_reader)(struct span *in, unsigned *value, const char **why);

static bool converse(struct line *l, const struct buf *said, socks_reader read, unsigned *value,
                     uint64_t until, struct err *e)
{
    const char *why;
    uint64_t now = line_now();
    if (!line_send(l, buf_span(said), until > now ? (unsigned)(until - now) : 0, e))
        return false;
    for (;;) {
        struct span rest = buf_span(&l->in);
        switch (read(&rest, value, &why)) {
        case SOCKS_SAID:
            buf_drop(&l->in, l->in.n - rest.n);
            return true;
        case SOCKS_SAID_BAD:
            return err_set(e, ERR_PROTOCOL, "it %s", why);
        case SOCKS_SAID_MORE:
            if (!line_more(l, until, e))
                return false;
        }
    }
}

static bool greet(struct line *l, bool password, unsigned *method, uint64_t until, struct err *e)
{
    struct buf out = {0};
    socks_write_greeting(&out, password);
    bool good = converse(l, &out, socks_read_method, method, until, e);
    buf_free(&out);
    return good;
}

bool socks_tunnel(struct line *l, struct span host, uint16_t port, unsigned ms, struct err *e)
{
    uint64_t until = line_now() + ms;
    unsigned value = 0;
    struct buf out = {0};
    if (!greet(l, false, &value, until, e))
        return false;
    if (value != SOCKS_NO_AUTHENTICATION)
        return err_set(e, ERR_REFUSED, "the SOCKS server asks who we are first");
    bool good =
        socks_write_connect(&out, host, port) && converse(l, &out, socks_read_reply, &value, until, e);
    const struct socks_no *no = good ? socks_no(value) : NULL;
    buf_free(&out);
    return good && (!no || err_set(e, ERR_UNREACHABLE, "the SOCKS server %s", no->words));
}

static void explain(struct doctor *d, struct finding *f, unsigned method, uint64_t took)
{
    d->at->answered = true;
    d->at->asks = method != SOCKS_NO_AUTHENTICATION;
    if (method == SOCKS_NO_AUTHENTICATION)
        finding_say(f, MARK_OK, "it is a SOCKS5 server and does not ask who we are (%" PRIu64 " ms)", took);
    else if (method == SOCKS_USER_AND_PASSWORD)
        finding_say(f, MARK_OK, "it is a SOCKS5 server and asks for user and password (%" PRIu64 " ms)",
                    took);
    else
        finding_fail(f, EXIT_FAILED,
                     d->at->hop->socks_password
                         ? "Ask whoever runs it: exeat knows user and password (RFC 1929), or nothing."
                         : "Set auth = basic with user = and secret = in its upstream section.",
                     "it is a SOCKS5 server and refuses those who do not sign in%s",
                     d->at->hop->socks_password ? " in a way of its own" : "");
}

void walk_socks(struct doctor *d, struct finding *f)
{
    struct err e = {0};
    unsigned method = 0;
    const struct hop *h = d->at->hop;
    unsigned ms = doctor_patience(d->at, h->dial_ms);
    uint64_t begun = line_now();
    if (greet(&d->at->line, h->socks_password, &method, begun + ms, &e))
        explain(d, f, method, line_now() - begun);
    else if (e.code == ERR_PROTOCOL)
        finding_fail(f, EXIT_FAILED,
                     "Check host and port of proxy =; an HTTP proxy is written as http://HOST:PORT.",
                     "%s is no SOCKS5 server: %s", h->name, e.text);
    else if (e.code == ERR_TIMEOUT)
        finding_fail(f, EXIT_UNREACHABLE, "Check host and port of proxy =: is a SOCKS5 server there?",
                     "%s takes connections and does not answer (waited %u second%s)", h->name, ms / 1000,
                     ms / 1000 == 1 ? "" : "s");
    else
        finding_fail(f, EXIT_FAILED, "Check host and port of proxy =: is a SOCKS5 server there?",
                     "%s gave no answer: %s", h->name, e.text);
}
