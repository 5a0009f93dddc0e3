/*
 * A person at a desktop, asked by pinentry: the program that other agents ask with too, in the desktop's own dialog. Blocking; one thread.
 */
#ifndef EXEAT_CLI_PINENTRY_H
#define EXEAT_CLI_PINENTRY_H

#include "base/err.h"
#include "base/secret.h"

/* Is there one, and a desktop for it to show itself on? */
bool pinentry_can_ask(void);
/* false: *e; nothing was typed, or it was cancelled (a sentence that begins with "cancelled"). */
bool pinentry_secret(struct span question, struct secret *out, struct err *e);
/* `yes`: the word on the button. false: it was not pressed. */
bool pinentry_confirm(struct span question, const char *yes, struct err *e);

#endif
