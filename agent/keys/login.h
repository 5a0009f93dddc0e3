/*
 * exeat login and logout: a typed password becomes a candidate, is tried once, and is stored; or it is forgotten (logout.c). Main thread.
 */
#ifndef EXEAT_KEYS_LOGIN_H
#define EXEAT_KEYS_LOGIN_H

#include "keys/identity.h"

void login_begin(struct keyholder *k, uint32_t peer, const struct keys_msg *m);
void login_end_trial(struct keyholder *k, const struct keys_msg *m); /* TRIAL_END */
void logout_begin(struct keyholder *k, uint32_t peer, const struct keys_msg *m);

/* The configuration has changed who the upstream's user is, where the secret comes from, or the like: a login under way was for what it said before. */
void login_overtaken(struct identity *who);
/* Whose login this trial is for: the host's, or a guest's at it. NULL: it is over. */
struct identity *login_who(struct identity *host, uint32_t trial);
void login_stop(struct keyholder *k); /* forgets the trials under way, without an answer */

/* The trial's own handshake said: KEYS_OK, KEYS_REFUSED, or another failure. The first word counts, but for OK and REFUSED, which outweigh others. */
void login_note(struct edition *e, enum keys_verdict verdict, const char *proxy, const char *why);

#endif
