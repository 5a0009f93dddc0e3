/*
 * What people read: whose password was refused by which proxy, and what to type next. Main thread.
 */
#ifndef EXEAT_KEYS_WORDS_H
#define EXEAT_KEYS_WORDS_H

#include "keys/identity.h"

/* The text as a sentence: a capital where it begins with an ordinary word, a full stop at its end. */
void words_sentence(struct buf *out, const char *text);

/* This guard is frozen. */
void words_refused(const struct edition *e, const struct guard *g, struct buf *why, struct buf *remedy);
/* One site was refused with a secret that is accepted otherwise. */
void words_site_refused(const struct edition *e, bool ticket, const char *proxy, struct buf *why,
                        struct buf *remedy);
/* The proxy offers less than it took before: `strongest` and `alarm` are its rows. */
void words_downgraded(const struct identity *who, const struct floor_row *strongest,
                      const struct floor_row *alarm, struct buf *why, struct buf *remedy);
/* Basic may not go out in clear text; adds to what is there. */
void words_basic_in_clear(const struct identity *who, struct buf *why, struct buf *remedy);
/* It should have proved who it is. `reason`: what is wrong with the proof that it gave; NULL: it gave none. */
void words_unproved(const struct edition *e, const char *proxy, const char *reason, struct buf *why,
                    struct buf *remedy);
/* Nothing can be started. */
void words_unavailable_remedy(const struct edition *e, bool kerberos, struct buf *remedy);

#endif
