/*
 * What a person wants to know about one upstream: who, with what, and in which state. Main thread.
 */
#ifndef EXEAT_KEYS_STATUS_H
#define EXEAT_KEYS_STATUS_H

#include "keys/identity.h"

void status_begin(struct keyholder *k, uint32_t peer, const struct keys_msg *m);
void status_run(struct keyholder *k); /* answers those whose look-ups are done; once per turn of the loop */

#endif
