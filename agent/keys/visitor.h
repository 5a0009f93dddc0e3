/*
 * Identities that clients bring (client-credentials = use): guests (guest.h), one for each user and password at an upstream. A password of one account is
 * one guard, whoever brings it; it is never stored, and what is known of the user's own tickets is not
 * for a visitor: it has to show that it has the password. Main thread.
 */
#ifndef EXEAT_KEYS_VISITOR_H
#define EXEAT_KEYS_VISITOR_H

#include "keys/guest.h"

#define VISITORS_MAX 256

/* The identity of this user and password at the upstream of `host`, the configured one. NULL: *no. */
struct identity *visitor_find(struct identity *host, struct span user, struct span password,
                              struct guest_no *no);
/* Before its password is shown: may it be, as far as the number of attempts goes (ration.h)? */
bool visitor_may_show(struct identity *who);
/* What to say when it may not: a sentence. */
extern const char visitor_has_no_more[];
/* A proxy has accepted it. */
void visitor_proved(struct identity *who);

#endif
