/*
 * Identities that clients bring (client-credentials = use): one for each user and password at an upstream, apart from the configured one and from
 * each other in all that is learned of the proxies, and under the same guards: a password of one account is one guard, whoever brings it.
 * It lives as long as connections use it, and a while longer. Its password is never stored, and what is known of the user's own tickets is not
 * for it: it has to show that it has the password. Main thread.
 */
#ifndef EXEAT_KEYS_VISITOR_H
#define EXEAT_KEYS_VISITOR_H

#include "keys/identity.h"

#define VISITORS_MAX    256
#define VISITOR_REST_MS (10 * 60 * 1000) /* kept so long after its last connection */

struct visitor_no {
    enum keys_verdict verdict;
    const char *why; /* a sentence */
};

/* The identity of this user and password at the upstream of `host`, the configured one. NULL: *no. */
struct identity *visitor_find(struct identity *host, struct span user, struct span password,
                              struct visitor_no *no);
/* Its last connection has gone. */
void visitor_rest(struct identity *who);
/* Before its password is shown: may it be, as far as the number of attempts goes (ration.h)? */
bool visitor_may_show(struct identity *who);
/* What to say when it may not: a sentence. */
extern const char visitor_has_no_more[];
/* A proxy has accepted it. */
void visitor_proved(struct identity *who);
/* The configuration was read again. */
void visitors_sync(struct keyholder *k);
/* For identity.c alone. */
void visitor_free(struct visitor *g);

#endif
