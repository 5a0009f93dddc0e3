/*
 * Who comes in by our own gateways: a context for each connection of a client, from ACCEPT_OPEN to ACCEPT_CLOSE, and at most one question about it at a
 * time. Main thread; what is asked is answered by workers (accept_speak.h).
 */
#ifndef EXEAT_KEYS_ACCEPT_H
#define EXEAT_KEYS_ACCEPT_H

#include "keys/keyholder.h"

void accepts_start(struct keyholder *k);
/* After a (re)load: the configuration's gateways from now on. Handshakes that are under way end, and what was let in is the agent's to forget. */
void accepts_sync(struct keyholder *k);
void accepts_free(struct keyholder *k);

/* The handlers of the messages with these names. */
void accept_open(struct keyholder *k, const struct keys_msg *m);
void accept_step(struct keyholder *k, const struct keys_msg *m);
void accept_close(struct keyholder *k, const struct keys_msg *m);

/* Who is in on this connection, at a gateway whose users are acted for. NULL: *why, a sentence. */
struct inbound;
const struct inbound *accept_inbound(struct keyholder *k, uint32_t context, const char **why);

#endif
