/*
 * Inbound authentication: one client's connection to a gateway, and the keyholder that says whether it is let in (wire/keys_msg.h, ACCEPT_OPEN to ACCEPT_CLOSE).
 * Knows no scheme and no sockets. One question at a time; each ends exactly once, never inside inbound_ask and not after inbound_cancel. When the keyholder
 * dies, or the configuration changes, all that was known is forgotten, and the next answer is a fresh challenge. Loop thread only.
 */
#ifndef EXEAT_ADMIT_INBOUND_H
#define EXEAT_ADMIT_INBOUND_H

#include <time.h>

#include "base/secret.h"
#include "helpers/keys_client.h"

enum inbound_verdict {
    INBOUND_IN,        /* let in: who it is stands in struct inbound */
    INBOUND_ASKED,     /* 407 with `lines` */
    INBOUND_REFUSED,   /* the same, after `delay` */
    INBOUND_MALFORMED, /* 400 with `why` */
    INBOUND_FAILED,    /* 503 with `why`; `remedy` is for the log */
};

/* The spans are lent for the length of the call. */
struct inbound_says {
    enum inbound_verdict verdict;
    struct span
        lines; /* values of Proxy-Authenticate, each followed by LF; with INBOUND_IN: of the final answer */
    struct span info;     /* INBOUND_IN: the same of Proxy-Authentication-Info */
    struct span identity; /* INBOUND_REFUSED: the account, as the client says */
    struct span why, remedy;
    uint32_t delay; /* ms */
};

typedef void (*inbound_fn)(void *owner, const struct inbound_says *says);

/* All zero: inbound_done does no harm. */
struct inbound {
    struct keys_client *keys;
    char *gateway;
    char *network;           /* of the client: by it the keyholder counts; NULL: unknown */
    const unsigned *edition; /* of the configuration: lent; counts its changes */
    unsigned known_edition;  /* in which the context was opened */
    uint32_t context, instance;
    bool shaking;            /* in mid handshake */
    bool bound;              /* the connection is let in */
    time_t until;            /* and until then; 0: for good */
    char *identity, *scheme; /* of the last request that was let in; NULL: none since it was refused */
    struct keys_call call;
    struct span method, target, binding; /* lent, while a question is under way */
    struct secret header;
    bool afresh; /* whatever came belongs to a context that is gone */
    unsigned restarts;
    inbound_fn answered;
    void *owner;
};

void inbound_init(struct inbound *in, struct keys_client *keys, const char *gateway, const unsigned *edition);
void inbound_done(struct inbound *in);

/* May a request without a field go on? */
bool inbound_is_in(const struct inbound *in, time_t now);
/* May this request go on? `header`: its Proxy-Authorization, copied; p NULL: it has none. `binding`: the connection's tls-server-end-point, empty without
   TLS. All others are lent until the answer. */
void inbound_ask(struct inbound *in, struct span method, struct span target, struct span binding,
                 struct span header, inbound_fn answered, void *owner);
/* The client is gone. */
void inbound_cancel(struct inbound *in);

#endif
