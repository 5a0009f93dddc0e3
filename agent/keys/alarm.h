/*
 * The scheme floor (floor.h) between proxies and people: when an offer is too weak to be answered, what is said of it, and how a person accepts it.
 * Main thread.
 */
#ifndef EXEAT_KEYS_ALARM_H
#define EXEAT_KEYS_ALARM_H

#include "keys/identity.h"

/* true: what the proxy offers now is weaker than what it took before, and must not be answered. The first time it is logged and kept. */
bool alarm_rings(struct identity *who, const struct hop *h);
/* Would it, with such an offer? Nothing is learned from it, logged or kept. */
bool alarm_would_ring(const struct identity *who, const struct hop *h, unsigned offered,
                      enum floor_level digest_level);
/* The sentences about it, while it rings. */
void alarm_describe(const struct identity *who, const struct hop *h, struct buf *why, struct buf *remedy);

/* The first proxy of this upstream whose last offer was too weak, or NULL; over restarts too. */
const struct hop *alarm_pending(struct identity *who);

/* ACCEPT_OFFER: the offers that rang at this upstream are good enough from now on. */
void alarm_accept(struct keyholder *k, uint32_t peer, const struct keys_msg *m);

/* What was accepted just now counts from now on. */
void alarm_learn(struct identity *who, const struct hop *h, enum floor_level level);

#endif
