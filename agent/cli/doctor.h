/*
 * What the steps of exeat doctor share: the walk from the configuration to one request, as far as it has come. Each step is a row (doctor.c) and a
 * function that fills in one finding; it may rely on what the steps that it needs have left here. One thread, blocking, each wait with a limit.
 */
#ifndef EXEAT_CLI_DOCTOR_H
#define EXEAT_CLI_DOCTOR_H

#include <jansson.h>

#include "cli/doctor_line.h"
#include "cli/exit.h"
#include "config/config.h"
#include "control/client.h"
#include "route/route.h"

/* In the order in which they are walked. */
enum doctor_step {
    STEP_AGENT,
    STEP_CONFIG,
    STEP_LISTENER,
    STEP_ENVIRONMENT,
    STEP_PAC,
    STEP_ROUTE,
    STEP_PROXY,
    STEP_DNS,
    STEP_TCP,
    STEP_TLS,
    STEP_OFFER,
    STEP_TIME,
    STEP_KEYHOLDER,
    STEP_KEYRING,
    STEP_PASSWORD,
    STEP_PRINCIPAL,
    STEP_KDC,
    STEP_CLOCK,
    STEP_TICKET,
    STEP_SPN,
    STEP_NTLM,
    STEP_SCHEME,
    STEP_REQUEST,
    STEP_DURATION,
    STEPS,
};

enum doctor_mark { MARK_OK, MARK_BAD, MARK_NOTE, MARK_SKIP };

struct finding {
    enum doctor_step step;
    enum doctor_mark mark;
    bool broken;  /* it failed, though that may be worth a note only */
    bool blocked; /* not walked: something that it needs has failed */
    struct buf evidence;
    struct buf remedy;
    enum exit_code code; /* of the program, if this is what is wrong */
    unsigned ms;
};

/* The keyholder's answer, copied. */
struct examined {
    struct buf lines, header;
};

/* Somebody whom requests are given to, and what was seen there: a proxy, a SOCKS server, or the destination itself. */
struct stop {
    struct hop *hop;     /* a reference */
    struct stop *before; /* it is reached through that one; NULL: straight */
    struct stop *next;   /* the first that is reached through it; NULL: none */
    bool walked;
    bool spare; /* requests have a way that does not need it: what is wrong here is a note */
    struct addrinfo *addresses;
    struct line line;
    unsigned answer;  /* status of what it said to a request without credentials */
    bool answered;    /* it has said whether it */
    bool asks;        /* wants to know who we are */
    struct buf offer; /* values of its Proxy-Authenticate, each followed by LF */
    struct buf date;
    struct examined keys, ntlm;
    struct finding findings[STEPS]; /* of STEP_PROXY to STEP_SCHEME */
};
#define STOP_NEW ((struct stop){.line = LINE_NOBODY})

#define STOPS_MOST 16 /* that are looked at, and ways through them */
#define WAYS_MOST  8

struct doctor_own; /* a keyholder of our own, where no agent runs */

struct doctor {
    const char *config_path; /* --config; NULL: the agent's, or the usual place */
    bool spend;              /* --try */
    bool chosen_url;
    const char *url;
    struct span host; /* of the URL */
    uint16_t port;
    bool tunnel;          /* it is reached by CONNECT */
    struct buf authority; /* of the URL, with the port */
    struct buf target;    /* absolute form */

    struct control_link *agent; /* NULL: none that we may ask */
    json_t *status;             /* its answer */
    struct config *config;
    struct route_table *routes;
    json_t *way;                    /* what the agent says of the way of `url`; NULL: nothing */
    struct stop *stops[STOPS_MOST]; /* owned */
    size_t n_stops;
    struct stop *ends[WAYS_MOST]; /* the last stop of each way that requests may go, in their order */
    size_t n_ends;
    struct stop *end; /* of the first way that can be gone; of the first one, if none can */
    struct stop *at;  /* the stop that is looked at */

    struct doctor_own *own;
    struct finding findings[STEPS]; /* of all other steps */
};

/* Fill in the finding; printf-like. All return nothing: the mark is what counts. */
void finding_say(struct finding *f, enum doctor_mark mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void finding_fail(struct finding *f, enum exit_code code, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A sentence that may hold its remedy behind a newline. */
void finding_fail_err(struct finding *f, const struct err *e, const char *remedy);

typedef void (*doctor_walk)(struct doctor *d, struct finding *f);

/* doctor_here.c */
void walk_agent(struct doctor *d, struct finding *f);
void walk_config(struct doctor *d, struct finding *f);
void walk_listener(struct doctor *d, struct finding *f);
/* doctor_env.c */
void walk_environment(struct doctor *d, struct finding *f);
/* doctor_pac.c */
void walk_pac(struct doctor *d, struct finding *f);
/* doctor_stop.c */
void walk_proxy(struct doctor *d, struct finding *f);  /* which of several stops this is */
void walk_tunnel(struct doctor *d, struct finding *f); /* the tcp of a stop behind another */
/* The ways of a request by these hops, and the stops on them. */
void stops_of(struct doctor *d, struct hop *const *hops, size_t n);
void stop_free(struct stop *s);
/* A connection to a stop, without anybody's credentials, by way of those before it. false with *e; with ERR_REFUSED: one of them asks who we are. */
bool stop_dial(struct stop *s, unsigned ms, struct line *l, struct err *e);
/* doctor_socks.c */
void walk_socks(struct doctor *d, struct finding *f); /* the offer of a SOCKS server */
/* The handshake up to the grant. As stop_dial. */
bool socks_tunnel(struct line *l, struct span host, uint16_t port, unsigned ms, struct err *e);
/* doctor_way.c */
void walk_route(struct doctor *d, struct finding *f); /* leaves the stops */
void walk_dns(struct doctor *d, struct finding *f);
void walk_tcp(struct doctor *d, struct finding *f);
void walk_tls(struct doctor *d, struct finding *f);
/* doctor_offer.c */
void walk_offer(struct doctor *d, struct finding *f);
void walk_time(struct doctor *d, struct finding *f);
/* doctor_keys.c */
void walk_keyholder(struct doctor *d, struct finding *f);
void walk_found(struct doctor *d, struct finding *f); /* what the keyholder's line of this step says */
void walk_ntlm(struct doctor *d, struct finding *f);
/* doctor_request.c */
void walk_request(struct doctor *d, struct finding *f);
void walk_duration(struct doctor *d, struct finding *f);

/* Where the agent's PAC script decides: what it comes to, in the words of a PAC result; empty: it is blocked. NULL: it does not decide. */
const char *doctor_way_by_script(const struct doctor *d);
/* Longest wait for one thing at this stop, in milliseconds, where its setting is `ms` (0: without end). */
unsigned doctor_patience(const struct stop *s, unsigned ms);
/* Nobody is there who wants to know who we are: no proxy, or a SOCKS server that takes everybody. */
bool doctor_signs_nowhere(const struct stop *s);
/* The name of a step, as in `--json` and in the keyholder's lines. */
const char *doctor_step_name(enum doctor_step step);
/* What the keyholder's line says about a step of this stop. false: there is none. */
bool doctor_found(const struct stop *s, const char *step, struct span *mark, struct span *evidence,
                  struct span *remedy);
/* "127.0.0.1:3128" of each place where the agent listens, or would: the caller decrefs the array. */
json_t *doctor_listeners(const struct doctor *d);
/* The first of them that serves programs of this machine without a token; lent by `listeners`. NULL: none does. */
const char *doctor_our_listener(json_t *listeners);
/* The conversation with a keyholder of our own; NULL: the agent's is used. */
struct outbound;
struct outbound *doctor_own_outbound(struct doctor *d);
void doctor_own_free(struct doctor *d);

/* --- doctor_port.c --- */

struct port_owner {
    bool found;
    bool known; /* we may see who it is: */
    int pid;
    char name[64];
    unsigned uid;
};
/* Who listens there? `host` NULL: on any address. */
void port_owner_find(struct port_owner *who, const char *host, uint16_t port);

#endif
