/*
 * What a person types at exeat login and logout: for which upstream that can be, for whom, in which form; and the answers. Main thread.
 */
#ifndef EXEAT_KEYS_TYPED_H
#define EXEAT_KEYS_TYPED_H

#include "keys/identity.h"

/* To whoever typed it. `why` becomes a sentence; `remedy` may be NULL. */
void typed_answer(struct keyholder *k, uint32_t peer, uint32_t call, enum keys_verdict verdict,
                  const char *why, const char *remedy);

/* Does its password come from a person? `who` may be NULL. false: said so. */
bool typed_is_taken(struct keyholder *k, struct identity *who, uint32_t peer, const struct keys_msg *m);
/* A user of our gateways, by the name that such a user goes by there. NULL: said so. */
struct identity *typed_resident(struct identity *host, uint32_t peer, const struct keys_msg *m);
/* What is no hash must not be stored as one. false: said so. */
bool typed_is_of_its_form(struct keyholder *k, struct identity *who, uint32_t peer, const struct keys_msg *m);

#endif
