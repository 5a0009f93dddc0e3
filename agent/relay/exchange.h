/*
 * One request's life: ROUTE -> ASK -> STREAM -> DONE, or over to a tunnel. Made by its client, freed by it after client_exchange_over.
 */
#ifndef EXEAT_RELAY_EXCHANGE_H
#define EXEAT_RELAY_EXCHANGE_H

#include "http/target.h"
#include "relay/client.h"
#include "relay/credentials.h"
#include "relay/download.h"
#include "relay/hold.h"
#include "relay/rewrite.h"
#include "relay/upload.h"
#include "route/decide.h"

enum exchange_state { EXCHANGE_ROUTE, EXCHANGE_ASK, EXCHANGE_STREAM, EXCHANGE_DONE };

struct exchange {
    struct client *client;
    struct relay *relay;
    struct config *config; /* a reference */
    enum exchange_state state;
    struct head head;
    struct target target;
    struct decision decision; /* EXCHANGE_ROUTE */
    struct hop **hops;        /* references, in the order to try */
    struct brought brought;   /* by an HTTP client, once */
    bool brought_read;
    size_t n_hops, at;
    char *why;                         /* the route's reason */
    struct buf target_text, host_text; /* as they go to the present hop */
    struct rewrite rewrite;            /* what happens to the request's fields */
    struct deadline slow;              /* relay/refusal.c: a refusal that waits */
    void (*after_slow)(struct exchange *e);
    struct gate_answer gate; /* relay/gate.c */
    struct ask ask;
    struct lease lease; /* a CONNECT without a proxy */
    struct hold hold;
    struct upload upload;
    struct download download;
    struct upstream *upstream; /* while streaming */
    bool connect;
    bool keep_client; /* the client's connection can be used again */
    bool keep_upstream;
    bool closing_said; /* the answer said Connection: close */
    bool pin;
    bool internal; /* what failed is for our administrator: a gateway's client gets general words (reply.c) */
    unsigned status; /* told to the client; 0: nothing yet */
    bool logged;
    uint64_t began;
    char scheme[48]; /* by which it was let in (ask_scheme); "" */
    char tag[24];
};

/* Takes the head over. */
struct exchange *exchange_start(struct client *c, struct head *head);
/* The head could not be read: answers in words and ends. */
struct exchange *exchange_refuse(struct client *c, const struct fault *fault);
/* It may be served: where to, and on. */
void exchange_admitted(struct exchange *e);
/* Bytes from the client: takes what belongs to this request's body off *in. */
void exchange_input(struct exchange *e, struct span *in);
/* Must the client's bytes wait? */
bool exchange_blocked(const struct exchange *e);
/* Is it the client's turn, with bytes of the body? */
bool exchange_waits_for_body(const struct exchange *e);
/* They do not come, or it does not take its answer: the end, in words where there can be some. */
void exchange_give_up_body(struct exchange *e);
/* The client has taken its backlog. */
void exchange_writable(struct exchange *e);
/* The client will send no more; `empty`: and everything it sent has been taken. */
void exchange_eof(struct exchange *e, bool empty);

/* --- for the files beside exchange.c --- */

/* The end; reply.h's answers do it themselves. */
void exchange_over(struct exchange *e, enum client_next next);
/* The asking failed (ask.h): another hop, a while of waiting, or a page. `owner`: the exchange. */
void exchange_failed(void *owner, const struct ask_failure *failure);
/* Asks the present hop once more, on a new connection. */
void exchange_again(struct exchange *e);

/* Cancels what is under way (the client is gone, or all is over). */
void exchange_free(struct exchange *e);

#endif
