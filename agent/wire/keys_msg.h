/*
 * What the agent, the command line and the keyholder say to each other: one message per frame, one struct for
 * all of them, and one table that says which fields each type carries (the agent knows no scheme; the
 * keyholder knows no socket of a proxy or client).
 *
 * The conversation: one context per upstream connection.
 *
 *   type        what it says                                            what is answered
 *   OPEN        a new connection to (upstream, host, port) exists;      OK with context, identity, generation
 *               with user and secret: a client's own, which
 *               client-credentials = use makes the identity;
 *               with acting: the ACCEPT context of the client for
 *               whose user it is (identity = per-user). It may be
 *               closed while this connection lives on
 *   AUTHORIZE   a request is about to go out on it                      SEND with a header or none
 *   CHALLENGED  that request got a 407                                  SEND, RESTART or NEED_BODY
 *   ACCEPTED    that request got anything but a 407: once for each      OK or MUTUAL_FAILED; nothing if `call`
 *               header that left, and no more once BINDS or REUSABLE    is 0
 *               was accepted on this connection
 *   CLOSE       the connection is gone; in mid handshake no verdict     nothing
 *               fell
 *   RELOAD      read the configuration again                            OK
 *   NETWORK     the network changed, or this computer slept: what      nothing
 *               failed for want of a server may be tried again
 *   STATUS      of one upstream                                         OK with identity, scheme, generation,
 *                                                                       why (its state in words), remedy
 *   TRIAL_END   the trial is over: OK (the handshake's own calls told   nothing
 *               the outcome), NOT_ASKED, or UNREACHABLE with why
 *   LOGIN       from the command line: upstream, user (may be empty),   OK, with why where it was stored but
 *               secret; with GUEST the user is one of a gateway's,      could not be tried; or REFUSED, ...
 *               and the secret for that one's requests
 *   LOGOUT      from the command line: upstream; with GUEST and user:   OK
 *               of that one of a gateway's users alone
 *   ACCEPT_OFFER  from the command line: the last offer of this         OK, with why: what was accepted, or that
 *               upstream's proxies, which was too weak, will do         there is nothing to accept
 *   EXAMINE     from the command line (exeat doctor): upstream, host and    OK with lines: findings (below); scheme: what
 *               port of one of its proxies, lines of its 407 as far as      would be answered; header: a first NTLM token
 *               they are known. Shows no secret and no token to anybody     without a secret, whose answer's lines may be
 *                                                                           examined next
 *
 *   and from the keyholder to the agent, unasked (`call` 0):
 *   EVENT_GENERATION  secret or identity of an upstream changed: idle connections made with older ones go;
 *               with GUEST: the secret of one of a gateway's users there, whose identity OPEN has told
 *   EVENT_TRIAL       make one handshake for this upstream with a bodiless request on a new connection, whose
 *                     OPEN carries KEYS_CANDIDATE; end it with TRIAL_END, which names the same `trial`
 *
 *   and the other way round, where we are the proxy that asks its own clients: one context per client connection.
 *   ACCEPT_OPEN  a client connected to this gateway; host: its network  OK with context and lines (the challenges of a first 407)
 *   ACCEPT_STEP  a request came: context, method, target, and header    OK       let in: identity, scheme; BINDS, and until: when that
 *               (the field's value as it came) or none, where fresh              ends (0: never); lines, info: what the final answer carries
 *               challenges are wanted. A field that is empty or came   SEND     407 with lines (one challenge with a token); the
 *               twice is malformed, and not asked about                          connection must stay open
 *                                                                      REFUSED  407 with lines (fresh challenges); delay: how long it
 *                                                                               waits; why, for the log alone (none: it is no failure,
 *                                                                               a nonce was stale or nothing came); identity: the account
 *                                                                               that was tried, as the client says
 *                                                                      BROKEN   the field is malformed: 400 with why
 *               (both) UNAVAILABLE, TIMEOUT: nobody can be let in by any scheme: 503 with why; remedy is for the log alone: it may name
 *               files
 *   ACCEPT_CLOSE  that connection is gone                              nothing
 *
 * Instead of the answer named, a failure verdict with `why` and `remedy` may come to each question.
 *
 * Decoding is strict: unknown type, unknown, repeated, missing or oversized field, trailing bytes: refused.
 * Spans of a decoded message point into the frame and live as long as it does.
 */
#ifndef EXEAT_WIRE_KEYS_MSG_H
#define EXEAT_WIRE_KEYS_MSG_H

#include <stdint.h>

#include "base/buf.h"

enum keys_type {
    KEYS_OPEN = 1,
    KEYS_AUTHORIZE,
    KEYS_CHALLENGED,
    KEYS_ACCEPTED,
    KEYS_CLOSE,
    KEYS_RELOAD,
    KEYS_STATUS,
    KEYS_TRIAL_END,
    KEYS_LOGIN,
    KEYS_LOGOUT,
    KEYS_ANSWER,
    KEYS_EVENT_GENERATION,
    KEYS_EVENT_TRIAL,
    KEYS_ACCEPT_OFFER,
    KEYS_NETWORK,
    KEYS_EXAMINE,
    KEYS_ACCEPT_OPEN,
    KEYS_ACCEPT_STEP,
    KEYS_ACCEPT_CLOSE,
    KEYS_TYPE_END,
};

enum keys_verdict {
    KEYS_OK = 1,
    KEYS_SEND,         /* send the request with `header`, or without one when it is empty */
    KEYS_RESTART,      /* begin again on a new connection with a new context */
    KEYS_NEED_BODY,    /* ask again with KEYS_BODY_HELD: the header must cover the body (Digest auth-int) */
    KEYS_REFUSED,      /* the secret is refused (now or before): nothing more is sent with it */
    KEYS_SITE_REFUSED, /* this one target is refused though the secret is otherwise accepted */
    KEYS_UNAVAILABLE,  /* nothing to answer with: no ticket, no secret, no scheme that both sides know and the
                          configuration allows */
    KEYS_TIMEOUT,      /* a KDC or keyring did not answer in time */
    KEYS_BROKEN,       /* the proxy's challenge or token is malformed, or it closed in mid handshake */
    KEYS_MUTUAL_FAILED, /* the proxy could not prove itself */
    KEYS_NOT_ASKED,
    KEYS_UNREACHABLE,
    KEYS_DOWNGRADED, /* the proxy offers only weaker schemes than it took before: nothing is sent until a person
                        accepts that */
    KEYS_VERDICT_END,
};

/*
 * Flags. In answers to AUTHORIZE and CHALLENGED (ALARM: to STATUS):
 *   KNOCK     a 407 is expected next: send this on a bodiless request (the knock), then ask CHALLENGED
 *   BINDS     once accepted, the connection is let in: later requests on it need no header and no AUTHORIZE
 *   REUSABLE  the same header does for every request of this generation, on any connection
 *   ALARM     (STATUS) a proxy of this upstream offers less than it took before: a person should look
 *   PROBLEM   (STATUS) `why` is something that a person should mend
 *   FINAL     do not trust the answer, a knock's included, before ACCEPTED has been answered (mutual authentication); with KNOCK: the
 *             body may not go out before either
 *   ASIDE     with KNOCK: the header goes out on a knock for KEYS_ASIDE_TARGET instead of the request's own target, so that no origin server
 *             holds back the verdict: anything but a 407 to it is ACCEPTED, and then the request follows without a header
 * In answers that fail (REFUSED, UNAVAILABLE), and to STATUS:
 *   LOGIN_HELPS  another password typed in by exeat login would change it: an EVENT_GENERATION will say when
 * In answers to STATUS:
 *   RENEW_HELPS  the ticket will not last longer by itself: the user's own, or one that could not be renewed. With LOGIN_HELPS and without PROBLEM: a
 *             password typed in gets another
 * In OPEN:
 *   CANDIDATE use the secret that a LOGIN is trying
 * In LOGIN, LOGOUT and EVENT_GENERATION:
 *   GUEST     `user` (`identity`) is a user of our gateways (identity = per-user), and not the upstream's own
 * In AUTHORIZE and CHALLENGED, at most one, about the request's body (none: it fits the replay window and can be sent again):
 *   BODY_NONE there is none
 *   BODY_HELD `body` is all of it
 *   BODY_BIG  it cannot be sent again: want a header that cannot go stale, or a knock before it
 * In AUTHORIZE:
 *   AHEAD     there is no request yet: wanted is a first token that shows no secret, for a knock for KEYS_ASIDE_TARGET; the keyholder answers from
 *             what it has at hand (no look-up, no KDC, no attempt), and without a header where there is no such token
 * In CHALLENGED:
 *   CLOSED    the proxy closed the connection after this 407
 *   SOCKS     it is a SOCKS server that wants user and password (RFC 1929), not a 407: the header that SEND brings is the message
 *             that shows them, and `lines` is empty. With CLOSED: it has said no to that
 * In ACCEPTED:
 *   CLOSED    the proxy closed the connection after its answer to an ASIDE
 * In answers to ACCEPT_STEP:
 *   BINDS     (OK) the connection is let in: later requests on it need no field and no ACCEPT_STEP, until `until`. One that carries the
 *             field all the same is asked about: the client begins again
 */
#define KEYS_KNOCK       0x01u
#define KEYS_BINDS       0x02u
#define KEYS_REUSABLE    0x04u
#define KEYS_FINAL       0x08u
#define KEYS_CANDIDATE   0x10u
#define KEYS_BODY_NONE   0x20u
#define KEYS_BODY_HELD   0x40u
#define KEYS_BODY_BIG    0x80u
#define KEYS_CLOSED      0x100u
#define KEYS_ALARM       0x200u
#define KEYS_ASIDE       0x400u
#define KEYS_AHEAD       0x800u
#define KEYS_LOGIN_HELPS 0x1000u
#define KEYS_SOCKS       0x2000u
#define KEYS_PROBLEM     0x4000u
#define KEYS_RENEW_HELPS 0x8000u
#define KEYS_GUEST       0x10000u

/* A finding of EXAMINE: "step TAB mark TAB evidence TAB remedy LF", no control characters but these; the mark is one of: */
#define KEYS_FOUND_OK          "ok"
#define KEYS_FOUND_BAD         "bad"
#define KEYS_FOUND_REFUSED     "refused"     /* BAD, by a proxy or a KDC, */
#define KEYS_FOUND_UNREACHABLE "unreachable" /* or as nobody answers */
#define KEYS_FOUND_NOTE        "note"
#define KEYS_FOUND_SKIP        "skip"

/* A name that cannot exist (RFC 6761 section 6.4): whatever a proxy does with a request for it, no origin server is reached. */
#define KEYS_ASIDE_HOST   "exeat.invalid"
#define KEYS_ASIDE_TARGET "http://" KEYS_ASIDE_HOST "/"

struct keys_msg {
    enum keys_type type;
    uint32_t call;    /* question and answer carry the same; 0: no answer is wanted */
    uint32_t context; /* 0: none */
    uint32_t verdict;
    uint32_t flags;
    uint32_t generation;
    uint32_t port;
    uint32_t trial;
    uint32_t until;       /* (STATUS) when the ticket ends, in seconds since 1970; 0: there is none */
    uint32_t delay;       /* milliseconds */
    uint32_t acting;      /* 0: the upstream's own identity */
    struct span upstream; /* name of the [upstream NAME] section */
    struct span
        host; /* of the proxy, as configured: what the service name is made of; or (ACCEPT_OPEN) the client's network: clients of
                             the same one carry the same text */
    struct span gateway; /* name of the [gateway NAME] section; "gateway" for the one without a name */
    struct span
        binding; /* tls-server-end-point hash, of the proxy's certificate or (ACCEPT_OPEN) of ours; empty without TLS */
    struct span method;
    struct span target; /* as in the request line that goes out */
    struct span lines;  /* values of Proxy-Authenticate, each followed by LF */
    struct span info;   /* values of Proxy-Authentication-Info, each followed by LF */
    struct span body;
    struct span header;   /* value of Proxy-Authorization: a secret */
    struct span identity; /* "CORP\alice", for people */
    struct span scheme;   /* "Negotiate (Kerberos)", for people */
    struct span why;      /* a sentence */
    struct span remedy;   /* a sentence */
    struct span user;
    struct span secret;
};

/* Appends one whole frame. false: over FRAME_MAX, or a field that this type does not carry is set. */
bool keys_msg_write(struct buf *out, const struct keys_msg *m);
/* Reads the body of one frame. false: refused, *why says what is wrong (static text). */
bool keys_msg_read(struct keys_msg *m, struct span body, const char **why);

const char *keys_type_name(enum keys_type type);
const char *keys_verdict_name(enum keys_verdict verdict);

#endif
