/*
 * The Kerberos side of a resident's edition (resident.h), as far as it differs from others' (negotiate_part.c). Main thread.
 */
#ifndef EXEAT_KEYS_RESIDENT_PART_H
#define EXEAT_KEYS_RESIDENT_PART_H

#include "keys/negotiate_job.h"

/* Has its program handed on a ticket that still lasts? */
bool resident_is_handed(const struct identity *who);
/* The service's own ticket, with which it acts for the gateway's users, is at hand: that of the host's keytab. */
enum ready resident_need_service(struct identity *who, uint64_t since, struct err *why);
/* Fills in what the user has besides a secret: a ticket that was handed on, or the service that acts for the user. */
void resident_give(struct edition *e, struct negotiate_job *j);

#endif
