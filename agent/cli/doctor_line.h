/*
 * One connection of a verb that may wait: name to addresses, TCP or a Unix socket, TLS over it, HTTP heads. Each call has a limit in milliseconds and
 * ends by then, whatever the other side does. false always comes with *e: ERR_TIMEOUT, ERR_UNREACHABLE, ERR_PROTOCOL (the other side speaks
 * something else), ERR_GONE (it hung up). One thread.
 */
#ifndef EXEAT_CLI_DOCTOR_LINE_H
#define EXEAT_CLI_DOCTOR_LINE_H

#include <netdb.h>

#include "http/head.h"
#include "net/tls.h"

struct line {
    int fd;          /* -1: not connected */
    struct tls *tls; /* NULL: in clear */
    struct buf in;   /* content that has come and is not read yet */
    bool ended;      /* no more will come */
};

#define LINE_NOBODY ((struct line){.fd = -1})

/* The caller frees with freeaddrinfo. */
bool line_resolve(const char *host, uint16_t port, unsigned ms, struct addrinfo **out, struct err *e);
/* The first that answers; *chosen is its place in the list. */
bool line_connect(struct line *l, const struct addrinfo *all, unsigned ms, const struct addrinfo **chosen,
                  struct err *e);
/* "127.0.0.1:3128", "[::1]:3128", "unix:PATH". */
bool line_dial(struct line *l, const char *place, unsigned ms, struct err *e);
bool line_secure(struct line *l, struct tls_client *client, unsigned ms, struct err *e);
bool line_send(struct line *l, struct span bytes, unsigned ms, struct err *e);
/* The final answer's head; what follows it stays in l->in. The caller frees it. */
bool line_head(struct line *l, unsigned ms, struct head *h, struct err *e);
/* What has come is in l->in: waits for more. `until`: line_now. The end comes once as no more, then as ERR_GONE. */
bool line_more(struct line *l, uint64_t until, struct err *e);
/* Reads on until the other side ends, or so many bytes are there. false: the time was over, or it broke. */
bool line_rest(struct line *l, size_t most, unsigned ms, struct err *e);
/* The connection leads to a listener of this very machine, at that address. */
bool line_is_local(const struct line *l);
void line_close(struct line *l);

uint64_t line_now(void); /* monotonic milliseconds */
void line_address(const struct addrinfo *a, char text[64]);

#endif
