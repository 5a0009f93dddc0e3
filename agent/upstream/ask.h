/*
 * A request on its way to an answer, past any 407: finds a connection, asks the keyholder for credentials, knocks where a body must not go out yet,
 * and ends with an answer's head that is no 407, or with a failure in words. It knows no authentication scheme.
 *
 *   LEASE -> THINK -> IN -> DONE
 *                     IN -> THINK -> DONE             the proxy must prove itself first (mutual authentication)
 *                     IN -> DRAIN -> THINK -> IN      407: drop its body, ask the keyholder, again
 *                     IN -> DRAIN -> IN               the knock was let through: now the request itself
 *            any -> LEASE                             begin again on a new connection (bounded)
 *            any -> FAILED
 *
 * The request body belongs to the owner: `body_go` says send it from its first byte (again) straight to the stream, `body_rewind` asks for it back. Only a body that
 * can be sent again, or a connection that has been let in, or a hop that never asks, gets a body before the verdict; all others get a knock first: a GET for the
 * same target without a body (some old proxies refuse HEAD there; it is HEAD where the GET's answer has cost us the connection), never the request's
 * method with an emptied body.
 * The memory is the caller's. Ends once, never inside ask_start, and not after ask_cancel. Loop thread only.
 */
#ifndef EXEAT_UPSTREAM_ASK_H
#define EXEAT_UPSTREAM_ASK_H

#include "http/header.h"
#include "http/page.h"
#include "upstream/leg.h"
#include "upstream/pool.h"

enum ask_body {
    ASK_BODY_NONE,
    ASK_BODY_SMALL, /* fits the owner's replay window */
    ASK_BODY_BIG,   /* does not, or its size is not known */
};

struct ask_request {
    const struct head *head;   /* the client's; its fields are forwarded */
    struct header_request how; /* all but the authorization; the spans live as long as the ask */
    enum ask_body body;
    size_t max_head;
    uint32_t trial;       /* the number of the login that this tries, for whomever it is; or 0 */
    bool fresh;           /* on a new connection only */
    struct upstream *use; /* this connection (pinned to the client); NULL: one from the pool */
    struct behalf behalf; /* whose it is; for a hop that acts for somebody (hop_acting) */
};

struct ask_failure {
    enum page_cause cause;
    struct span why, remedy; /* lent for the length of the call */
    bool nothing_sent;       /* no byte has left of what may not be sent again: another hop may be tried */
    bool final;              /* and would do no better */
    const char *upstream;    /* whose credentials it is about; NULL: nobody's */
    bool login_helps;        /* another password would change it; of this generation (keys_msg.h): */
    uint32_t generation;
};

enum ask_rewind { ASK_REWIND_WHOLE, ASK_REWIND_PART, ASK_REWIND_LOST };

struct ask_events {
    void (*informational)(void *owner, const struct head *h);
    void (*body_go)(void *owner);
    /* WHOLE: every byte had been written; PART: some were still to come; LOST: more was written than is kept. */
    enum ask_rewind (*body_rewind)(void *owner);
    /* The credentials must cover the body: gather it and call ask_body_gathered. */
    void (*body_gather)(void *owner);
    void (*writable)(void *owner);
    /* ask->leg.head, ask->leg.rule and leg_rest(&ask->leg) hold the answer; then take the connection: ask_take. */
    void (*answered)(void *owner);
    void (*failed)(void *owner, const struct ask_failure *failure);
};

enum ask_state { ASK_IDLE, ASK_LEASE, ASK_THINK, ASK_IN, ASK_DRAIN, ASK_DONE, ASK_FAILED, ASK_STATES };

struct ask {
    enum ask_state state;
    struct outbound *out;
    struct hop *hop; /* a reference */
    struct ask_request request;
    const struct ask_events *events;
    void *owner;
    const char *tag;
    struct lease lease;
    struct later begin;
    struct upstream *upstream;
    struct leg leg;
    struct keys_call call;
    struct secret header; /* what went or goes out as Proxy-Authorization */
    char scheme[48];      /* of it, in the keyholder's words */
    uint32_t flags;       /* KEYS_KNOCK ... that came with it */
    bool header_out;      /* the last leg carried it */
    bool knocking;        /* the last leg was a knock */
    bool knock_done;      /* one was let through: no more of them */
    const char *knock_method;
    bool trusted;  /* this connection's proxy has given the proof that the keyholder wanted */
    bool body_out; /* body_go was told in this leg */
    bool body_lost;
    bool sent;     /* what may not be sent again: something of the request, credentials of ours */
    bool credited; /* credentials of ours went with this request */
    bool broken;   /* the connection may not be used for another leg */
    bool stale_retried;
    struct span gathered; /* the body, when body_gather has been answered */
    bool body_held;
    unsigned legs, restarts;
};

/* There was no connection; nothing was sent. The spans are lent on. */
void ask_failure_from(struct ask_failure *failure, const struct unreached *why);

void ask_start(struct ask *a, struct outbound *out, struct hop *hop, const struct ask_request *request,
               const char *tag, const struct ask_events *events, void *owner);
/* whole: all of the body, lent until the ask ends. Otherwise it is larger than the window. */
void ask_body_gathered(struct ask *a, bool whole, struct span body);
/* How the owner's sending stands. */
void ask_body_flows(struct ask *a);
void ask_body_out(struct ask *a);
/* After `answered`: the connection is the caller's (pool_give, pool_close, pool_take_stream), and the ask's memory is free. The head stays in ask->leg.head
   for head_move before this call. */
struct upstream *ask_take(struct ask *a);
/* After `answered`, before ask_take: what the keyholder calls that by which the request was let in; empty where nothing was shown. */
struct span ask_scheme(const struct ask *a);
/* At any time; closes the connection if one is held. Harmless after the end. */
void ask_cancel(struct ask *a);

#endif
