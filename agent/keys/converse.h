/*
 * The conversation about one context: converse.c speaks, verdict.c listens. Each function leaves the question answered, parked, or at a worker. Main
 * thread.
 */
#ifndef EXEAT_KEYS_CONVERSE_H
#define EXEAT_KEYS_CONVERSE_H

#include "keys/context.h"

void converse_begin(struct context *c);      /* AUTHORIZE: speak first? */
void converse_run(struct context *c);        /* goes on at c->stage */
void converse_challenged(struct context *c); /* c->challenges was read */
void converse_accepted(struct context *c, struct span lines, struct span info);

/* --- between the two --- */

void converse_start(struct context *c, enum auth_scheme scheme); /* it was prepared */
void converse_broken(struct context *c, const char *why);
void converse_restart(struct context *c);
void converse_bare(struct context *c, uint32_t flags); /* the request goes out without credentials */
/* The attempt under way ends without saying anything about the secret. */
void converse_pass(struct context *c);
/* It ends with a refusal. */
void converse_refused(struct context *c);
/* The scheme of what was made, for people: "Negotiate (Kerberos)". */
const char *verdict_words(const struct context *c);
/* The proxy speaks another NTLM dialect under the name Negotiate than we tried; `raw`: it said which. */
void converse_learn_dialect(struct context *c, bool raw);

#endif
