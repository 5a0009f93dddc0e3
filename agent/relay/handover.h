/*
 * Where an exchange becomes a tunnel: a 2xx to CONNECT, a 101, or a CONNECT whose destination is reached without a proxy.
 */
#ifndef EXEAT_RELAY_HANDOVER_H
#define EXEAT_RELAY_HANDOVER_H

#include "relay/exchange.h"

/* The ask ended with an answer behind which a tunnel begins. */
void handover_answered(struct exchange *e);
/* Dials the destination itself; what fails goes to exchange_failed. */
void handover_direct(struct exchange *e, struct hop *hop);

#endif
