/*
 * Doors: the listeners of the agent, each with the way in that it leads to (HTTP, SOCKS, a fixed tunnel). Loop thread only.
 */
#ifndef EXEAT_DOORS_H
#define EXEAT_DOORS_H

#include "net/given.h"
#include "relay/relay.h"

struct door {
    struct relay *relay;
    struct listener *listener;
    const struct entrance *entrance;
    struct leads to;           /* references */
    char *text;                /* the address as the configuration has it; of a given socket, its own */
    unsigned number;           /* for relay_retire */
    bool open;                 /* clients come in by it */
    const struct given *given; /* it came with the start; NULL: opened by ourselves */
};

struct doors {
    struct relay *relay;
    /* Adds to *e why a socket could not be made at that path, where the owner knows. */
    void (*explain)(const void *owner, const char *path, struct err *e);
    const void *explain_owner;
    struct given_list
        given; /* sockets from systemd take the place of the configuration's addresses for the same purpose */
    struct door **list; /* fixed tunnels, SOCKS, HTTP, each in the configuration's order */
    size_t n;
};

/* Opens what the configuration wants and closes what it does not; those that it keeps stay open, so that no client is turned away. false: nothing was
   changed, and *e says why. */
bool doors_set(struct doors *d, const struct config *c, struct err *e);
void doors_close(struct doors *d);
/* The fixed tunnel of that name, or NULL. */
const struct fixed *doors_fixed(const struct doors *d, const char *name);

/* The gateway of that name, or NULL. */
const struct gate *doors_gate(const struct doors *d, const char *name);

#endif
