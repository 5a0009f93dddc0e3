/*
 * SOCKS messages, one function per message. Every length is the client's word: nothing is used before all of it is there, and nothing is longer than
 * its one length byte (SOCKS4: than 255 bytes up to the NUL). A host comes out only if it may stand in a request head and in the log.
 */
#include "relay/socks_read.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "http/octet.h"
#include "http/target.h"

enum { NO_AUTHENTICATION = 0, USER_AND_PASSWORD = 2, NO_METHOD = 0xFF };
enum { COMMAND_CONNECT = 1 };
enum { TYPE_IPV4 = 1, TYPE_NAME = 3, TYPE_IPV6 = 4 };
#define TEXT_MOST 255 /* bytes of a user's or a host's name */

static unsigned byte(struct span in, size_t at)
{
    return (unsigned char)in.p[at];
}

static uint16_t port_at(struct span in, size_t at)
{
    return (uint16_t)(byte(in, at) << 8 | byte(in, at + 1));
}

static enum socks_step take(struct span *in, size_t n, enum socks_step step)
{
    *in = span_from(*in, n);
    return step;
}

static enum socks_step say(struct socks_message *m, unsigned first, unsigned second)
{
    m->say[0] = (char)first;
    m->say[1] = (char)second;
    m->n_say = 2;
    return SOCKS_SAY;
}

/* The end of it, with words; what the client gets has been put into m->say. */
static enum socks_step bad(struct socks_reader *r, struct socks_message *m, const char *why,
                           const char *remedy)
{
    r->state = SOCKS_OVER;
    m->why = why;
    m->remedy = remedy;
    return SOCKS_BAD;
}

static enum socks_step refuse(struct socks_reader *r, struct socks_message *m, enum socks_code code,
                              const char *why, const char *remedy)
{
    m->n_say = socks_reply(r, code, m->say);
    return bad(r, m, why, remedy);
}

size_t socks_reply(const struct socks_reader *r, enum socks_code code, char reply[10])
{
    memset(reply, 0, 10);
    if (r->version == 4) {
        reply[1] = code == SOCKS_GRANTED ? 0x5A : 0x5B;
        return 8;
    }
    reply[0] = 5;
    reply[1] = (char)code;
    reply[3] =
        TYPE_IPV4; /* of the address that we would be bound to: nobody knows it, the connection is the proxy's */
    return 10;
}

/* --- where to --- */

/* The request is whole: checks host and port. */
static enum socks_step connect_to(struct socks_reader *r, struct socks_message *m, struct span host,
                                  uint16_t port)
{
    uint16_t same;
    bool ipv6, literal = span_find(host, ':') < host.n && host.p[0] != '[';
    char text[TEXT_MOST + sizeof "[]:65535"];
    if (port == 0)
        return refuse(r, m, SOCKS_GENERAL_FAILURE, "the program asks for port 0, which is no port", "");
    int n = snprintf(text, sizeof text, literal ? "[%.*s]:%u" : "%.*s:%u", SPAN_ARG(host), port);
    if (memchr(host.p, '\0', host.n) || n < 0 || (size_t)n >= sizeof text ||
        !target_authority(span_make(text, (size_t)n), 0, &m->host, &ipv6, &same))
        return refuse(r, m, SOCKS_GENERAL_FAILURE,
                      "the program asks for a host whose name is empty, or holds what a host's name cannot",
                      "");
    m->host = host.p[0] == '[' ? span_make(host.p + 1, host.n - 2) : host;
    m->port = port;
    r->state = SOCKS_OVER;
    return SOCKS_CONNECT;
}

static struct span address_text(struct socks_message *m, int family, const char *bytes)
{
    return span_str(inet_ntop(family, bytes, m->address, sizeof m->address));
}

/* --- SOCKS 5 --- */

static enum socks_step greeting(struct socks_reader *r, struct span *in, struct socks_message *m)
{
    if (in->n < 2 || in->n < 2 + byte(*in, 1))
        return SOCKS_MORE;
    struct span methods = span_make(in->p + 2, byte(*in, 1));
    take(in, 2 + methods.n, SOCKS_SAY);
    bool user = span_find(methods, USER_AND_PASSWORD) < methods.n;
    if (span_find(methods, NO_AUTHENTICATION) < methods.n && !(user && r->wants_user)) {
        r->state = SOCKS_REQUEST;
        return say(m, 5, NO_AUTHENTICATION);
    }
    if (user) {
        r->state = SOCKS_PASSWORD;
        return say(m, 5, USER_AND_PASSWORD);
    }
    say(m, 5, NO_METHOD);
    return bad(r, m, "the program offers no way to authenticate to a SOCKS proxy that exeat takes",
               "let it use none, or any user name and password");
}

/* RFC 1929. Who may use us is decided by the kernel's word for whose program it is (admit), so any will do here; client-credentials = use makes
   them who we are to a proxy. */
static enum socks_step password(struct socks_reader *r, struct span *in, struct socks_message *m)
{
    if (in->n && byte(*in, 0) != 1) {
        say(m, 1, 1);
        return bad(r, m, "what came in place of user name and password is not what RFC 1929 says", "");
    }
    if (in->n < 2 || in->n < 3 + byte(*in, 1))
        return SOCKS_MORE;
    size_t at = 2 + byte(*in, 1), n = at + 1 + byte(*in, at);
    if (in->n < n)
        return SOCKS_MORE;
    r->state = SOCKS_REQUEST;
    say(m, 1, 0);
    m->user = span_make(in->p + 2, byte(*in, 1));
    m->password = span_make(in->p + at + 1, byte(*in, at));
    return take(in, n, SOCKS_SAY);
}

static enum socks_step request5(struct socks_reader *r, struct span *in, struct socks_message *m)
{
    if (in->n && byte(*in, 0) != 5)
        return refuse(r, m, SOCKS_GENERAL_FAILURE, "what came in place of a request is not SOCKS 5", "");
    if (in->n < 4)
        return SOCKS_MORE;
    if (byte(*in, 1) != COMMAND_CONNECT)
        return refuse(
            r, m, SOCKS_NO_SUCH_COMMAND,
            "the program asks to be connected to (BIND) or for UDP, and an HTTP proxy can do neither", "");
    struct span whole = *in;
    unsigned type = byte(whole, 3);
    size_t at = type == TYPE_NAME ? 5 : 4, n;
    if (type == TYPE_NAME && in->n < at)
        return SOCKS_MORE;
    if (type == TYPE_NAME)
        n = byte(whole, 4);
    else if (type == TYPE_IPV4 || type == TYPE_IPV6)
        n = type == TYPE_IPV4 ? sizeof(struct in_addr) : sizeof(struct in6_addr);
    else
        return refuse(r, m, SOCKS_NO_SUCH_ADDRESS,
                      "the program asks for a kind of address that is neither a name nor IPv4 nor IPv6", "");
    if (in->n < at + n + 2)
        return SOCKS_MORE;
    take(in, at + n + 2, SOCKS_CONNECT);
    struct span host = span_make(whole.p + at, n);
    if (type != TYPE_NAME)
        host = address_text(m, type == TYPE_IPV4 ? AF_INET : AF_INET6, host.p);
    return connect_to(r, m, host, port_at(whole, at + n));
}

/* --- SOCKS 4 and 4a --- */

/* The text from `at` up to its NUL. 1: here it is; 0: more is needed; -1: it is longer than any. */
static int text_at(struct span in, size_t at, struct span *text)
{
    struct span rest = span_from(in, at);
    size_t n = span_find(rest, '\0');
    *text = span_head(rest, n);
    return n > TEXT_MOST ? -1 : n < rest.n;
}

static enum socks_step request4(struct socks_reader *r, struct span *in, struct socks_message *m)
{
    if (in->n >= 2 && byte(*in, 1) != COMMAND_CONNECT)
        return refuse(r, m, SOCKS_NO_SUCH_COMMAND,
                      "the program asks to be connected to (BIND), and an HTTP proxy cannot do that", "");
    if (in->n < 8)
        return SOCKS_MORE;
    struct span whole = *in, user, host;
    bool named = span_eq(span_make(whole.p + 4, 3), SPAN("\0\0\0")) && byte(whole, 7) != 0; /* 4a */
    size_t at = 8;
    int found = text_at(whole, at, &user);
    at += user.n + 1;
    if (found > 0 && named) {
        found = text_at(whole, at, &host);
        at += host.n + 1;
    }
    if (found < 0)
        return refuse(r, m, SOCKS_GENERAL_FAILURE,
                      "the program sends a user name or host name of more than 255 bytes", "");
    if (found == 0)
        return SOCKS_MORE;
    take(in, at, SOCKS_CONNECT);
    if (!named)
        host = address_text(m, AF_INET, whole.p + 4);
    return connect_to(r, m, host, port_at(whole, 2));
}

/* --- the beginning --- */

static enum socks_step not_socks(struct socks_reader *r, struct span in, struct socks_message *m)
{
    m->http = in.p[0] >= 'A' && in.p[0] <= 'Z';
    if (m->http)
        return bad(
            r, m, "HTTP came to an address where exeat speaks SOCKS",
            "set the proxy to an address of http in [listen], or write socks5h:// in front of this one");
    return bad(r, m, "what came is neither SOCKS 5 nor SOCKS 4", "");
}

enum socks_step socks_read(struct socks_reader *r, struct span *in, struct socks_message *m)
{
    *m = (struct socks_message){.why = "", .remedy = ""};
    if (in->n == 0)
        return SOCKS_MORE;
    if (r->version == 0 && byte(*in, 0) != 4 && byte(*in, 0) != 5)
        return not_socks(r, *in, m);
    if (r->version == 0)
        r->version = (uint8_t)byte(*in, 0);
    switch (r->state) {
    case SOCKS_START:
        return r->version == 4 ? request4(r, in, m) : greeting(r, in, m);
    case SOCKS_PASSWORD:
        return password(r, in, m);
    case SOCKS_REQUEST:
        return request5(r, in, m);
    default:
        return bad(r, m, "the handshake is over", "");
    }
}
