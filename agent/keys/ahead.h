/*
 * Handshakes that begin ahead of any request (wire/keys_msg.h: KEYS_AHEAD): a first token for a connection that is kept ready. It shows no secret, so it is no
 * attempt; the guard has its word when a request takes the connection over. Main thread.
 */
#ifndef EXEAT_KEYS_AHEAD_H
#define EXEAT_KEYS_AHEAD_H

#include "keys/context.h"

/* Does the question want nothing but a first token, or none? */
bool ahead_wanted(const struct context *c);
/* c is ready for speak_token, with the scheme that was accepted at this proxy last, of what is at hand: nothing is looked up and nobody asked. false: there is no such token. */
bool ahead_prepare(struct context *c);
/* A request goes on with it: is there more to be said by now (another generation, a refusal, an offer that is too weak)? */
bool ahead_is_stale(const struct context *c);

#endif
