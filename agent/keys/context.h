/*
 * One handshake, as long as one upstream connection: scheme and state, and the one question about it that is under way. Main thread; while a
 * token is being made, `handshake` belongs to the worker.
 */
#ifndef EXEAT_KEYS_CONTEXT_H
#define EXEAT_KEYS_CONTEXT_H

#include "keys/challenge.h"
#include "keys/identity.h"
#include "keys/scheme.h"

enum phase {
    PHASE_FRESH, /* nothing has gone out on this connection, or only bare requests */
    PHASE_LEG,   /* a token that shows no secret went out: an answer with a token is due */
    PHASE_FINAL, /* a token or header that counts went out: the next answer is the verdict */
    PHASE_IN,    /* accepted */
    PHASE_DEAD,  /* refused, broken or late: only CLOSE comes now */
};

enum stage {
    STAGE_IDLE,   /* no question is under way */
    STAGE_CHOOSE, /* looking for a scheme that can be started */
    STAGE_STEP,   /* a worker makes the token */
    STAGE_GATE,   /* the header is ready; the guard has the word */
};

/* The question under way: AUTHORIZE, CHALLENGED or ACCEPTED. */
struct question {
    uint32_t call;
    enum keys_type type;
    uint32_t flags;
    uint64_t since; /* tick */
    struct buf method, target, body;
    unsigned tried;        /* SCHEME_BITs that could not be started */
    bool doubted;          /* the ticket in hand was no good any more, and another one was looked for */
    struct buf whys;       /* why not, sentence by sentence */
    const char *waits_for; /* for the time-out's sentence */
};

struct context {
    struct list node; /* in the identity's waiting list, or in none */
    uint32_t id;
    struct identity *who;
    struct hop *hop;
    struct edition *e;
    bool candidate;
    struct buf binding;

    enum phase phase;
    enum auth_scheme scheme;
    bool raw;       /* NTLM's tokens under the name Negotiate */
    bool ntlm_only; /* SPNEGO without Kerberos */
    bool unasked;   /* the handshake began with AUTHORIZE */
    bool ahead;     /* and with KEYS_AHEAD: no request has asked for anything yet */
    struct bundle *bundle;
    struct gss_handshake *handshake;
    struct guard_attempt attempt;
    bool aside;        /* which rides on a knock of its own */
    bool let_in_aside; /* one was accepted on this connection */
    unsigned stale, mismatches;
    bool again;  /* it was let in before, and asked again */
    bool proved; /* the proxy has proved itself by the handshake that was accepted */

    enum stage stage;
    struct question q;
    struct deadline deadline;
    struct challenge_list challenges;
    struct secret header;
    uint32_t header_flags;
    enum guard_kind header_kind;

    bool at_work; /* a worker has `handshake` */
    bool closed;  /* freed when the worker is done */
};

void contexts_start(struct keyholder *k);
void contexts_free(struct keyholder *k);

/* The handlers of the messages with these names. */
void context_open(struct keyholder *k, const struct keys_msg *m);
void context_authorize(struct keyholder *k, const struct keys_msg *m);
void context_challenged(struct keyholder *k, const struct keys_msg *m);
void context_accepted(struct keyholder *k, const struct keys_msg *m);
void context_close(struct keyholder *k, const struct keys_msg *m);

/* Called with the list node of a waiting context: there is news. */
void context_run_again(struct list *node);

/* --- for converse.c and verdict.c, which know what to answer --- */

struct answer {
    enum keys_verdict verdict;
    uint32_t flags;
    struct span header;
    const char *why, *remedy; /* NULL: none */
    const char *scheme;       /* of the header, in words; NULL: none */
};
/* Ends the question. */
void context_answer(struct context *c, const struct answer *a);
void context_answer_plain(struct context *c, enum keys_verdict verdict, const char *why, const char *remedy);
void context_park(struct context *c, const char *waits_for);
/* Gives back the handshake and its scheme's state. */
void context_reset(struct context *c);
void context_free(struct context *c);

#endif
