/*
 * Gateways: the ways in whose clients authenticate (admit/inbound.h asks the keyholder). Before a request goes on it is let in here, or answered with 407, 400,
 * 503 or 429; what a gateway's clients may hold (connections, time) has its limits here too. Loop thread only.
 */
#ifndef EXEAT_RELAY_GATE_H
#define EXEAT_RELAY_GATE_H

#include "admit/inbound.h"
#include "admit/quota.h"
#include "http/page.h"
#include "upstream/outbound.h"

struct client;
struct exchange;
struct relay;
struct stream;

/* What a [gateway] is at work: reference-counted, as long as a door or a client knows it. */
struct gate {
    int refs;
    struct list link; /* in gates.all */
    char *name;
    size_t connected; /* connections and tunnels, and connections that only have to take their last answer */
    struct list leaving;   /* of these: struct visit */
    struct list strangers; /* connections that have not authenticated, the oldest first */
    uint64_t accepted, challenged, refused, broken, failed; /* requests, by what became of them at the door */
    uint64_t failure_told; /* loop_now of the last line about those that failed */
    uint64_t limited;      /* connections and requests beyond a limit, heads that did not come in time,
                              tunnels without a byte for too long */
};

struct gates;
struct gate *gate_new(struct gates *gates, const char *name);
struct gate *gate_ref(struct gate *g); /* NULL is allowed, here and below */
void gate_unref(struct gate *g);

/* Of the relay. */
struct gates {
    struct list all; /* struct gate */
    struct quotas quotas;
    unsigned edition; /* of the configuration */
};

void gates_init(struct gates *g);
void gates_done(struct gates *g);

/* That a connection, or the tunnel that it became, is open. */
struct visit;
void visit_end(struct visit *v);
struct gate *visit_gate(const struct visit *v); /* lent */

/* How far a request had come when it was looked at. */
struct gate_progress {
    bool owes; /* it was the client whom it waited for */
    uint64_t up, down;
    uint64_t untaken; /* of what it was sent */
};

/* Of a client's connection; all zero: it came by another way. */
struct gated {
    struct gate *gate; /* a reference */
    struct visit *visit;
    bool beyond; /* it is not from this machine */
    struct inbound inbound;
    struct list link; /* in gate->strangers */
    bool stranger;
    struct deadline patience;
    enum gate_waits { GATE_BUSY, GATE_WAITS_FOR_HEAD, GATE_IDLE } waits;
    struct gate_progress progress;
};

/* Of an exchange. */
struct gate_answer {
    struct buf lines, info; /* for the answer, whoever gives it; each value followed by LF */
    bool known;             /* it was let in */
    bool drains;            /* the answer waits for the rest of the body */
    size_t drains_most;     /* of which so much is taken */
    struct deadline patience;
    enum page_cause cause; /* and is this */
    struct buf why, remedy;
};

/* Before a byte is read: may it come, and is there room? false: it has been told (in words, if it reads any: not over TLS), and the stream is gone. */
bool gate_lets_come(struct relay *r, struct gate *g, struct stream *s, const char *tag, bool words);
void gate_arrived(struct client *c, struct gate *g, bool beyond);
void gate_left(struct client *c);
struct visit *gate_hand_over(struct client *c);
/* Its stream is about to linger, and counts as long as it does. */
void gate_lingers(struct client *c);
/* Nothing is under way on its connection; or something is. */
void gate_waits(struct client *c);
void gate_busy(struct client *c);
/* For stream_linger: seconds in which it has to take something; 0: it is not a gateway's. */
unsigned gate_last_patience(const struct client *c);

/* May this request go on? false: it has been answered, or will be; or it is asked about, and goes on by exchange_admitted. */
bool gate_may(struct exchange *e);
/* Is the body only taken in so that the answer can be given? Then it has been taken. */
bool gate_drains(struct exchange *e, struct span *in);
/* Does the next proxy ask for credentials? Its challenge is none of ours: the exchange has been answered. */
bool gate_keeps_challenge(struct exchange *e);
/* Does its client get the next proxy's proof of who it is, and not ours? */
bool gate_hands_on(const struct exchange *e);
/* The exchange is over; its memory is not needed any more. */
void gate_stop(struct exchange *e);
void gate_forget(struct exchange *e);
/* Does it go on as the user that was let in (identity = per-user)? And on whose behalf then, for what is asked of the keyholder; else nobody's. */
bool gate_acts(const struct exchange *e);
struct behalf gate_behalf(const struct exchange *e);
/* What was known of the client is gone before its request could go on: it is challenged anew. */
void gate_asks_again(struct exchange *e);
/* Who it is, for the log; NULL: it was not let in, or is not a gateway's. */
const char *gate_user(const struct exchange *e);

#endif
