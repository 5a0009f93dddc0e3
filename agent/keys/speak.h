/*
 * Making what goes out: the header of Basic and Digest at once, a token of Negotiate or NTLM on a worker. Main thread.
 */
#ifndef EXEAT_KEYS_SPEAK_H
#define EXEAT_KEYS_SPEAK_H

#include "keys/context.h"

/* Can the scheme be started? READY_YES: c knows what with. READY_WAIT: the caller parks, on *waits_for. */
enum ready speak_prepare(struct context *c, enum auth_scheme scheme, const char **waits_for, struct err *why);

enum spoken {
    SPOKEN,           /* c->header, header_flags and header_kind are ready for the guard */
    SPOKEN_NOTHING,   /* Digest has no nonce: ask without a header */
    SPOKEN_NEED_BODY, /* Digest must cover the body */
    SPOKEN_CANNOT,    /* *why */
    SPOKEN_BROKEN,    /* the challenge is malformed: *why */
};
/* Takes the nonce of a Digest challenge on a connection that has closed, for the next one. */
void speak_keep_nonce(struct context *c);
enum spoken speak_header(struct context *c, struct err *why);

/* Starts the worker on the next token; speak_took is told the outcome. `in`: the proxy's token, decoded, or empty. */
void speak_token(struct context *c, struct span in);
/* In converse.c. header_* are set for the first three outcomes. false service: the service ticket could not be had. */
void converse_spoke(struct context *c, enum scheme_outcome outcome, bool service, const struct err *why);

/* The name under which the tokens travel. */
const char *speak_scheme_name(const struct context *c);

#endif
