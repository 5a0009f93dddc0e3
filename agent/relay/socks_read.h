/*
 * The client's half of a SOCKS handshake: SOCKS5 (RFC 1928) with no authentication or user and password (RFC 1929), SOCKS4 and SOCKS4a. Pure: bytes
 * in, state out. The bytes that have come are offered from the first one that is not used yet; what makes no whole message is offered again with more
 * behind it. A message has 520 bytes at most, so a caller's buffer stays small. Any thread.
 */
#ifndef EXEAT_RELAY_SOCKS_READ_H
#define EXEAT_RELAY_SOCKS_READ_H

#include <netinet/in.h>

#include "base/span.h"

#define SOCKS_MESSAGE_MOST 520 /* bytes: SOCKS4a with a user and a name of 255 each */

enum socks_state { SOCKS_START, SOCKS_PASSWORD, SOCKS_REQUEST, SOCKS_OVER };

struct socks_reader { /* starts as zeros */
    uint8_t state;    /* enum socks_state */
    uint8_t version;  /* 4 or 5; 0: not known yet */
    bool wants_user;  /* whoever offers a user and password is asked for them */
};

enum socks_step {
    SOCKS_MORE,    /* nothing was used: more bytes are needed */
    SOCKS_SAY,     /* `say` goes to the client; then read on */
    SOCKS_CONNECT, /* host and port are what the client wants; what follows belongs to the tunnel */
    SOCKS_BAD, /* `say` goes to the client (it may be empty), and that is the end of it: `why` and `remedy` in words */
};

struct socks_message {
    char say[10];
    size_t n_say;
    struct span user, password; /* SOCKS_SAY: the client has sent them; lent by the input */
    struct span host; /* a name, or an address without brackets; lent by the input or by `address` */
    uint16_t port;
    char address[INET6_ADDRSTRLEN];
    const char *why, *remedy; /* static text */
    bool http;                /* SOCKS_BAD: it looks like HTTP */
};

/* Takes what was used off *in. */
enum socks_step socks_read(struct socks_reader *r, struct span *in, struct socks_message *m);

/* Replies of SOCKS5 (RFC 1928 section 6); SOCKS4 knows granted and rejected alone. */
enum socks_code {
    SOCKS_GRANTED,
    SOCKS_GENERAL_FAILURE,
    SOCKS_NOT_ALLOWED,
    SOCKS_NETWORK_UNREACHABLE,
    SOCKS_HOST_UNREACHABLE,
    SOCKS_CONNECTION_REFUSED,
    SOCKS_TTL_EXPIRED,
    SOCKS_NO_SUCH_COMMAND,
    SOCKS_NO_SUCH_ADDRESS,
};
/* The reply to a request in the reader's version; returns its length. */
size_t socks_reply(const struct socks_reader *r, enum socks_code code, char reply[10]);

#endif
