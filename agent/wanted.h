/*
 * The doors that a configuration wants, each with its purpose. Loop thread.
 */
#ifndef EXEAT_WANTED_H
#define EXEAT_WANTED_H

#include "net/given.h"
#include "relay/relay.h"

/* One of them. All but `tls` is lent, by the configuration and the sockets that were given. */
struct wanted {
    const struct entrance *entrance;
    const struct config_forward *forward; /* entrance_fixed */
    const struct config_gateway *gateway; /* entrance_gateway */
    const struct config_address *address;
    const struct given *given; /* instead of the address */
    struct tls_server *tls;    /* a reference; NULL: in clear */
};

struct wanted_list {
    struct wanted *list;
    size_t n;
};

/* Adds to *w, which is for wanted_done in any case. A socket that was given takes the place of all addresses for the same purpose. false: of one
   of them it cannot be told what it is for, or a certificate cannot be used, and *e says what to do. */
bool wanted_find(struct wanted_list *w, const struct given_list *given, const struct config *c,
                 struct err *e);
void wanted_done(struct wanted_list *w);

#endif
