/*
 * What a job of negotiate_job.h found, and what an edition has of it. Main thread.
 */
#ifndef EXEAT_KEYS_NEGOTIATE_FOUND_H
#define EXEAT_KEYS_NEGOTIATE_FOUND_H

#include "keys/negotiate_job.h"

/* The end of a struct negotiate_job: what it brought goes into its edition, whoever waits runs again, and the job is freed. */
void found_done(struct job *job);

/* Does it still do? One without a ticket (NTLM inside Negotiate) always does. */
bool found_is_usable(const struct bundle *b);
/* Has it a ticket that still lasts? */
bool found_has_ticket(const struct edition *e);
/* Is nothing to be tried under this guard? `g` may be NULL. */
bool found_is_frozen(const struct edition *e, const struct guard *g);

#endif
