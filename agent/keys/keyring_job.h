/*
 * What a login or logout wants of the keyring, which may take long or ask a person: a job for a worker. Main thread, but for the worker, which touches its job alone.
 */
#ifndef EXEAT_KEYS_KEYRING_JOB_H
#define EXEAT_KEYS_KEYRING_JOB_H

#include "keys/identity.h"
#include "keys/work.h"

enum keyring_verb { KEYRING_LOOK, KEYRING_STORE, KEYRING_CLEAR };

struct keyring_job {
    struct job job;
    enum keyring_verb verb;
    bool resident; /* of `user`, one of a gateway's */
    char *upstream, *user;
    struct secret secret;    /* to be stored */
    enum provided_kind kind; /* out, with: */
    struct err e;
    void (*done)(struct keyring_job *j); /* which is freed behind it */
    void *owner;
};

/* In the place that this upstream has there. `user` and `secret` are for the caller to set before work_submit. */
struct keyring_job *keyring_job_new(const struct identity *who, enum keyring_verb verb, bool resident,
                                    void (*done)(struct keyring_job *j), void *owner);

#endif
