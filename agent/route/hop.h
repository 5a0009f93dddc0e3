/*
 * One place that a connection can be made to: a proxy of a named upstream, a SOCKS server, or a destination itself ("direct", or beyond a SOCKS server or a
 * tunnel of a proxy); how its connections are made ("through" other hops, upstream/road.h); and what we remember of it.
 * Reference-counted; the settings are copies, so a hop outlives the configuration it came from. Loop thread only.
 */
#ifndef EXEAT_ROUTE_HOP_H
#define EXEAT_ROUTE_HOP_H

#include "base/list.h"
#include "base/secret.h"
#include "config/config.h"
#include "net/tls.h"
#include "route/headers.h"
#include "base/pattern.h"

struct hop {
    int refs;
    struct list link; /* in its route table */
    char *upstream;   /* name of the [upstream NAME] section; NULL: none */
    char *host;
    uint16_t port;
    char *name;             /* "proxy.corp.example:8080", for people */
    bool authenticates;     /* we answer its 407s */
    bool pass_credentials;  /* the client's own Proxy-Authorization goes up, its 407 comes down */
    struct tls_client *tls; /* it is reached by TLS; NULL: it is not */
    bool socks;          /* a SOCKS server: each destination behind it is a hop of its own (hop_new_beyond) */
    bool socks_password; /* which may be shown the upstream's user and password */
    bool outside;        /* a destination, but not on this machine's loopback (route_outside) */
    bool connect_always; /* plain http goes through a tunnel of this proxy, as https does */
    struct hop **through; /* references: its connections are made through one of these, in this order */
    size_t n_through;     /* 0: straight */
    struct header_rules
        *headers; /* a reference: the changes of what we ourselves ask it (upstream/road.c); NULL: none */
    unsigned connections; /* most at once */
    unsigned spares;      /* of these made ready ahead of need, at most */
    unsigned dial_ms;
    unsigned answer_ms;    /* 0: no limit */
    bool asks;             /* it has sent a 407 */
    bool known;            /* it has answered something */
    bool found;            /* a PAC script named it and no upstream does: a proxy that gets no credentials */
    bool retired;          /* out of use for new requests: its connections are not kept */
    unsigned failures;     /* in a row: no connection could be made */
    uint64_t asleep_until; /* loop_now; others are tried first until then; 0: awake */
    char *asleep_why;      /* a sentence, while `failures` */
    bool probing;          /* somebody looks whether it answers again */
    struct pattern *no_auth; /* destinations that get no credentials of ours */
    size_t n_no_auth;
    bool uses_client; /* a client's own user and password are who we are: hop_as */
    bool
        leaves_credentials; /* the client's own Proxy-Authorization goes up beside that, on shared connections */
    struct list faces; /* of this one: hops made by hop_as, hop_bare and hop_acting, while anybody has one */
    struct hop *base;  /* of such a one: what it is a face of, a reference; else NULL */
    char *user;        /* hop_as: who this client says that it is, and its */
    struct secret password;
    char *acts_for; /* hop_acting: the gateway and its user, in a form for comparing alone */
    char *known_as; /* of such a one: its user, as the keyholder says it; NULL: that has not been asked yet */
    bool bare;      /* for destinations that no-auth exempts */
    void *pool;     /* upstream/pool.c keeps its connections here */
    void (*pool_free)(void *pool);
};

/* NULL: a file of the TLS settings is not as it should be; *e says so. */
struct hop *hop_new_proxy(const struct config_upstream *u, const struct config_proxy *p, struct err *e);
struct hop *hop_new_direct(struct span host, uint16_t port);
/* A SOCKS5 server that no upstream names (a PAC file does): it gets no credentials. */
struct hop *hop_new_socks(struct span host, uint16_t port);
/* A destination behind `through`, which is a SOCKS server or a proxy that makes a tunnel to it: to whoever uses it, it is as a direct one. */
struct hop *hop_new_beyond(struct hop *through, struct span host, uint16_t port);
/* From now on connections to `h` are made through one of these, tried in this order. Once, before its first use; must not lead round in a circle. */
void hop_lead_through(struct hop *h, struct hop *const *through, size_t n);
/* A proxy that a PAC script has named and no upstream. NULL with *e: TLS cannot be had. */
struct hop *hop_new_found(struct span host, uint16_t port, bool tls, struct err *e);

/*
 * Faces of a hop: the same place, asleep and awake with it, but with connections and credentials of their own. Each is there once, as long as
 * somebody has a reference (its connections do). The caller owns one.
 */
/* With this client's user and password. NULL: there are HOP_FACES_MOST others. */
struct hop *hop_as(struct hop *base, struct span user, struct span password);
/* Without any credentials of ours, on connections that nobody has let in; its 407s are the client's to see. */
struct hop *hop_bare(struct hop *base);
/*
 * With the identity of this user of a gateway, for a destination behind a proxy too: all that its connections lead through are faces for the same user. `exempt`:
 * no-auth has the destination, so that only what is on the way there is shown an identity. NULL: there are HOP_USERS_MOST others.
 */
struct hop *hop_acting(struct hop *base, struct span gateway, struct span user, bool exempt);
#define HOP_USERS_MOST 1024
/* How many such faces there are. */
size_t hop_users(const struct hop *base);
/* Is an identity of ours shown on the way to it, or (unless `exempt`) to itself? */
bool hop_shows_identity(const struct hop *base, bool exempt);
/* Does the configuration exempt this destination there? */
bool hop_exempts(const struct hop *base, struct span host, uint16_t port);
#define HOP_FACES_MOST 64
/* It has answered; it has sent a 407. The proxy learns of it too, but not from requests that it exempts. */
void hop_answered(struct hop *h);
void hop_asked(struct hop *h);
/* It and its faces: each may go with its last connection. */
void hop_visit(struct hop *proxy, void (*visit)(struct hop *h));
/* If it leads to or through this upstream: it, and those of its faces that are led there with the machine's own identity; whoever acts for a gateway's user is
   that user all the way. */
void hop_visit_own(struct hop *proxy, struct span upstream, void (*visit)(struct hop *h));
/* Its faces for users of gateways that go by this name at the upstream that they lead to or through. */
void hop_visit_user(struct hop *proxy, struct span upstream, struct span user, void (*visit)(struct hop *h));
/* Who its user is at this upstream, itself or one on the way to it. NULL: it acts for nobody there, or it is not known as whom. */
const char *hop_known_as(const struct hop *face, struct span upstream);
/* The proxy itself, whatever face this is. */
struct hop *hop_base(struct hop *h);

struct hop *hop_ref(struct hop *h);
void hop_unref(struct hop *h);
/* The destination itself is at the other end of its connections: no proxy is spoken to on them. */
bool hop_is_direct(const struct hop *h);
/* Are requests sent to the destination behind this one (hop_new_beyond), instead of to itself? `tunnel`: for a CONNECT. */
bool hop_wants_beyond(const struct hop *h, bool tunnel);
/* Who is entrusted with what is sent to this hop: itself, if it is a proxy; the SOCKS server or proxy in front of a destination (hop_new_beyond). NULL: nobody,
   it goes direct. */
const struct hop *hop_proxy(const struct hop *h);
/* The first that is spoken to on the way to it, itself included, if that is a proxy or a SOCKS server; else NULL. */
const char *hop_first_name(const struct hop *h);
/* Do its connections lead to, or through, this upstream? */
bool hop_meets(const struct hop *h, struct span upstream);

/* No connection could be made at `now` (milliseconds): it sleeps, twice as long each time, with jitter so that not all who share a proxy come back at once.
   `random` is any number. */
void hop_failed(struct hop *h, uint64_t now, unsigned random, const char *why);
void hop_wake(
    struct hop
        *h); /* a connection was made, or the network has changed: past failures say nothing any more */
bool hop_asleep(const struct hop *h, uint64_t now);

#endif
