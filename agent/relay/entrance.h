/*
 * The ways in: HTTP, SOCKS, a fixed tunnel, figures. An entrance is how a client's first bytes become a request, and how that client is told of the outcome; all
 * between is an exchange's, whichever way it came. One row each; loop thread only.
 */
#ifndef EXEAT_RELAY_ENTRANCE_H
#define EXEAT_RELAY_ENTRANCE_H

#include "http/page.h"

struct client;

struct entrance {
    bool http;    /* the client reads HTTP: pages, 1xx, the proxy's own answers. Others know yes and no */
    bool figures; /* no proxy at all: there is one page here, with figures */
    const char *tunnel;      /* what the log calls a tunnel from here */
    struct span turned_away; /* what a client gets whom admit does not let in; see admit_stream */
    /* What came so far stands in c->in: starts an exchange, or waits for more, or ends the client. Fixed tunnels: as soon as the client
       is there; others: when there are new bytes. */
    void (*take)(struct client *c);
    void (*established)(struct client *c); /* the tunnel is there */
    /* Ways without pages: tells the client that it will not be. The exchange logs it and ends. */
    void (*failed)(struct client *c, enum page_cause cause, struct span why);
    bool reset; /* and ends its connection with a reset: there is nothing else that it would understand */
};

extern const struct entrance entrance_http, entrance_socks, entrance_fixed, entrance_metrics,
    entrance_gateway;

/* Begins a CONNECT for a client that wrote none. The host has been checked for what may stand in a head. */
void entrance_connect(struct client *c, struct span host, uint16_t port);

#endif
