/*
 * A SOCKS5 server's half of a handshake (RFC 1928; RFC 1929 for user and password), read; and ours, written. Pure: the bytes that have come are offered from
 * the first one that is not used yet; what makes no whole message is offered again with more behind it. A message has SOCKS_REPLY_MOST bytes at most. Any thread.
 */
#ifndef EXEAT_UPSTREAM_SOCKS_REPLY_H
#define EXEAT_UPSTREAM_SOCKS_REPLY_H

#include "base/buf.h"
#include "http/page.h"

#define SOCKS_REPLY_MOST 262 /* bytes: a reply that names a host of 255 */

enum socks_method { SOCKS_NO_AUTHENTICATION = 0, SOCKS_USER_AND_PASSWORD = 2, SOCKS_NO_METHOD = 0xFF };

enum socks_said {
    SOCKS_SAID_MORE, /* not whole yet */
    SOCKS_SAID,      /* *value; taken off *in */
    SOCKS_SAID_BAD,  /* it does not speak SOCKS5: *why, which follows "the SOCKS server ... ", static */
};

/* The method that it has chosen (section 3). */
enum socks_said socks_read_method(struct span *in, unsigned *value, const char **why);
/* Its word on user and password (RFC 1929 section 2): 0 is yes. */
enum socks_said socks_read_status(struct span *in, unsigned *value, const char **why);
/* Its reply to CONNECT (section 6): 0 is yes. Behind a no nothing more is waited for. */
enum socks_said socks_read_reply(struct span *in, unsigned *value, const char **why);

/* What such a no means: words that follow "the SOCKS server ... ", and what to do. NULL: it is the yes. */
struct socks_no {
    enum page_cause cause;
    const char *words, *remedy;
};
const struct socks_no *socks_no(unsigned code);

void socks_write_greeting(struct buf *out, bool password);
/* An address is written as one, anything else as a name. false: the name has no byte, or more than 255. */
bool socks_write_connect(struct buf *out, struct span host, uint16_t port);

#endif
