/*
 * The questions that an ask puts to the keyholder (wire/keys_msg.h), made from its state.
 */
#ifndef EXEAT_UPSTREAM_ASK_KEYS_H
#define EXEAT_UPSTREAM_ASK_KEYS_H

#include "upstream/ask.h"

/* false: the connection acts for somebody of whom the keyholder knows nothing any more; nothing was asked. ask_keys_nobody says so. */
bool ask_keys_open(struct ask *a, keys_answer_fn answered);
/* The same for a connection of no request (spare.c). trial: as in struct ask_request. */
bool ask_keys_open_for(struct upstream *u, struct behalf behalf, uint32_t trial, struct keys_call *call,
                       keys_answer_fn answered, void *owner);
/* The answer to it, which is OK. */
void ask_keys_opened(struct upstream *u, const struct keys_msg *answer);
struct unreached ask_keys_nobody(void);
void ask_keys_authorize(struct ask *a, keys_answer_fn answered);
/* A 407 has come (in a->leg.head); `closed`: its connection cannot be used again. */
void ask_keys_challenged(struct ask *a, bool closed, keys_answer_fn answered);
/* What a spare was answered to its first token is this request's challenge. */
void ask_keys_kept(struct ask *a, keys_answer_fn answered);
/* Appends the values of a field, each followed by LF. false: over the buffer's ceiling. */
bool ask_keys_gather(struct buf *out, const struct head *h, const char *name);
/* The last question again, with the body that the keyholder needs. */
void ask_keys_repeat(struct ask *a, keys_answer_fn answered);
/* The credentials were taken; nobody waits for the keyholder's answer. */
void ask_keys_accepted(struct ask *a);
/* Those of an aside were, which is known when its answer has been dropped; a->broken: and the connection is no more use. */
void ask_keys_aside(struct ask *a);
/* The connection ended in the middle of a leg: after an aside, that is something to be learned. */
void ask_keys_cut(struct ask *a);
/* The same, but its answer decides whether the proxy has proved itself. */
void ask_keys_check_final(struct ask *a, keys_answer_fn answered);
/* At level debug: the first word of each challenge in a->leg.head; what they mean is the keyholder's business. */
void ask_keys_log_offer(const struct ask *a);
/* The page for a verdict that ends the request. */
enum page_cause ask_keys_cause(uint32_t verdict);

#endif
