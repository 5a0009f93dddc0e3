/*
 * Requests to ourselves (origin-form, on our own listener): GET /exeat.pac, a PAC file that points browsers at this listener, and GET /, a few lines on how we are.
 * Nothing that is secret stands there. A Host or Origin that is not this machine's loopback is refused: a web page must not read it by way of a name that it lets
 * point here (DNS rebinding).
 */
#ifndef EXEAT_RELAY_HOME_H
#define EXEAT_RELAY_HOME_H

#include "relay/exchange.h"

/* Is it for one of our pages, and may have it? */
bool home_has(const struct exchange *e);
/* Answers a request in origin-form or asterisk-form, in any case. */
void home_answer(struct exchange *e);

#endif
