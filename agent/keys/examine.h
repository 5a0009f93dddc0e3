/*
 * EXAMINE: what stands between us and one proxy, for a person who asks (exeat doctor). Looks at what there is; nobody is shown a secret, no attempt
 * begins, no guard, mark or floor changes. Main thread.
 */
#ifndef EXEAT_KEYS_EXAMINE_H
#define EXEAT_KEYS_EXAMINE_H

#include "keys/keyholder.h"

void examine_begin(struct keyholder *k, uint32_t peer, const struct keys_msg *m);
/* Answers what can be answered by now. Once per turn of the loop. */
void examine_run(struct keyholder *k);

#endif
