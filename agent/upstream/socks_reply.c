/*
 * One function per message. Every length is the server's word: nothing is used before it is there.
 */
#include "upstream/socks_reply.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum { TYPE_IPV4 = 1, TYPE_NAME = 3, TYPE_IPV6 = 4 };
#define NAME_MOST 255

static unsigned byte(struct span in, size_t at)
{
    return (unsigned char)in.p[at];
}

static enum socks_said bad(const char **why, const char *words)
{
    *why = words;
    return SOCKS_SAID_BAD;
}

/* What the first byte of an answer shows that is none of SOCKS5. */
static enum socks_said not_socks(struct span in, const char **why)
{
    if (byte(in, 0) == 'H')
        return bad(why, "speaks HTTP: write http:// in front of its address");
    if (byte(in, 0) == 0 || byte(in, 0) == 4)
        return bad(why, "answers in SOCKS 4, which is not supported");
    return bad(why, "does not speak SOCKS 5");
}

enum socks_said socks_read_method(struct span *in, unsigned *value, const char **why)
{
    if (in->n && byte(*in, 0) != 5)
        return not_socks(*in, why);
    if (in->n < 2)
        return SOCKS_SAID_MORE;
    *value = byte(*in, 1);
    *in = span_from(*in, 2);
    return SOCKS_SAID;
}

/* Its version is 1; some servers repeat the 5, and mean the same. */
enum socks_said socks_read_status(struct span *in, unsigned *value, const char **why)
{
    if (in->n && byte(*in, 0) != 1 && byte(*in, 0) != 5)
        return bad(why, "answers user and password with something that RFC 1929 does not know");
    if (in->n < 2)
        return SOCKS_SAID_MORE;
    *value = byte(*in, 1);
    *in = span_from(*in, 2);
    return SOCKS_SAID;
}

/* Up to and with the port of the bound address, whose kind and first byte are there. 0: there is no such kind. */
static size_t reply_length(struct span in)
{
    switch (byte(in, 3)) {
    case TYPE_IPV4:
        return 4 + sizeof(struct in_addr) + 2;
    case TYPE_IPV6:
        return 4 + sizeof(struct in6_addr) + 2;
    case TYPE_NAME:
        return 5 + byte(in, 4) + 2;
    default:
        return 0;
    }
}

enum socks_said socks_read_reply(struct span *in, unsigned *value, const char **why)
{
    if (in->n && byte(*in, 0) != 5)
        return not_socks(*in, why);
    if (in->n < 2)
        return SOCKS_SAID_MORE;
    *value = byte(*in, 1);
    if (*value != 0) {
        *in = span_from(*in, in->n);
        return SOCKS_SAID;
    }
    if (in->n < 5)
        return SOCKS_SAID_MORE;
    size_t n = reply_length(*in);
    if (n == 0)
        return bad(why, "names an address of a kind that does not exist");
    if (in->n < n)
        return SOCKS_SAID_MORE;
    *in = span_from(*in, n);
    return SOCKS_SAID;
}

/* RFC 1928 section 6. */
const struct socks_no *socks_no(unsigned code)
{
    static const struct socks_no rows[] = {
        {PAGE_BAD_ANSWER, "says no with a code that has no meaning", "ask its administrator what it means"},
        {PAGE_UNREACHABLE, "could not connect (general failure)",
         "try again; if it stays so, ask its administrator why"},
        {PAGE_SITE_REFUSED, "does not allow this destination", "ask its administrator to allow it"},
        {PAGE_UNREACHABLE, "cannot reach the network of this destination",
         "check the address; if others cannot be reached either, the server has lost its own network"},
        {PAGE_DNS, "cannot find or reach this host", "check the name, and that the host is up"},
        {PAGE_REFUSED, "found nobody there: the connection was refused",
         "check the address and its port, and that the server there is up"},
        {PAGE_CONNECT_TIMEOUT, "gave up: the connection took too long (TTL expired)",
         "check the address, and that the server there is up"},
        {PAGE_BAD_ANSWER, "makes no connections (command not supported)",
         "it is of no use here: check proxy in exeat.conf"},
        {PAGE_BAD_ANSWER, "cannot use an address of this kind",
         "use the name of the host, or its IPv4 address"},
    };
    if (code == 0)
        return NULL;
    return &rows[code < sizeof rows / sizeof *rows ? code : 0];
}

void socks_write_greeting(struct buf *out, bool password)
{
    const char methods[] = {5, password ? 2 : 1, SOCKS_NO_AUTHENTICATION, SOCKS_USER_AND_PASSWORD};
    buf_add(out, methods, password ? 4 : 3);
}

bool socks_write_connect(struct buf *out, struct span host, uint16_t port)
{
    unsigned char address[sizeof(struct in6_addr)];
    const char end[] = {(char)(port >> 8), (char)port};
    char *text = span_dup(host);
    bool v4 = inet_pton(AF_INET, text, address) == 1;
    bool v6 = !v4 && inet_pton(AF_INET6, text, address) == 1;
    free(text);
    if (host.n == 0 || host.n > NAME_MOST)
        return false;
    const char head[] = {5, 1, 0, v4 ? TYPE_IPV4 : v6 ? TYPE_IPV6 : TYPE_NAME, (char)host.n};
    buf_add(out, head, v4 || v6 ? 4 : 5);
    if (v4 || v6)
        buf_add(out, (const char *)address, v4 ? sizeof(struct in_addr) : sizeof(struct in6_addr));
    else
        buf_add_span(out, host);
    return buf_add(out, end, sizeof end);
}
