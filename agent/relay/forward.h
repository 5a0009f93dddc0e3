/*
 * The heads' way through an exchange: which request goes to a hop, which answer to the client, and the requests that we answer ourselves.
 */
#ifndef EXEAT_RELAY_FORWARD_H
#define EXEAT_RELAY_FORWARD_H

#include "relay/exchange.h"

/* Fills e->target_text and e->host_text for this hop. */
void forward_target(struct exchange *e, const struct hop *hop);
struct ask_request forward_request(struct exchange *e, const struct hop *hop);
/* Did the client ask for another protocol (RFC 9110 section 7.8)? */
bool forward_wants_upgrade(const struct exchange *e);
/* Loops, our own pages, Max-Forwards: true when the exchange has been answered. */
bool forward_answer_here(struct exchange *e);

/* The final answer has come: where the configuration says so, the next proxy's proof of who it is goes to the client. */
void forward_proof(struct exchange *e);
void forward_informational(struct exchange *e, const struct head *h);
/* Writes the head of the final answer; returns the framing that the client gets. */
struct body_rule forward_answer_head(struct exchange *e, const struct head *h, struct body_rule rule);
/* The head before a tunnel: 200 to CONNECT, or 101 as it came. */
void forward_tunnel_head(struct exchange *e, const struct head *h);
void forward_established(struct exchange *e);

#endif
