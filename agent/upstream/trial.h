/*
 * One handshake for its own sake: exeat login tries a new secret with it. A GET without a body for http://exeat.invalid/ on a new connection: the name cannot
 * exist (RFC 6761 section 6.4), so whatever the proxy does after letting us in, no origin server is reached. Ends once. Loop thread only.
 */
#ifndef EXEAT_UPSTREAM_TRIAL_H
#define EXEAT_UPSTREAM_TRIAL_H

#include "upstream/ask.h"

struct trial;

enum trial_outcome {
    TRIAL_TOLD,        /* there was a handshake: the keyholder has its verdict */
    TRIAL_NOT_ASKED,   /* the proxy let us through without asking */
    TRIAL_UNREACHABLE, /* or it broke before a verdict; `why` says it */
};

typedef void (*trial_done_fn)(void *owner, enum trial_outcome outcome, struct span why);

/* number: what the keyholder calls the login (EVENT_TRIAL). Frees itself after `done`. */
struct trial *trial_start(struct outbound *out, struct hop *hop, uint32_t number, trial_done_fn done,
                          void *owner);
/* Before its time; `done` is not called. */
void trial_cancel(struct trial *t);

/* What the agent and a login without an agent do with the keyholder's EVENT_TRIAL: run it against the first of `hops` with that upstream's name, and report. */
void trial_for_keyholder(struct outbound *out, struct hop **hops, size_t n_hops,
                         const struct keys_msg *event);

#endif
