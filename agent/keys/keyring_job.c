/*
 * One question to the keyring: whether it can be had, or what is to be stored or forgotten.
 */
#include "keys/keyring_job.h"

#include <stdlib.h>

/* Worker. */
static void keyring_run(struct job *job)
{
    struct keyring_job *j = (struct keyring_job *)job;
    struct provided got = {.kind = PROVIDED_ABSENT};
    switch (j->verb) {
    case KEYRING_LOOK:
        keyring_fetch(j->upstream, j->user, &got);
        j->kind = got.kind;
        j->e = got.e;
        provided_free(&got);
        break;
    case KEYRING_STORE:
        j->kind = keyring_store(j->upstream, j->user, !j->resident, &j->secret, &j->e);
        break;
    case KEYRING_CLEAR:
        j->kind = keyring_clear(j->upstream, j->user, &j->e);
        break;
    }
}

static void keyring_done(struct job *job)
{
    struct keyring_job *j = (struct keyring_job *)job;
    j->done(j);
    secret_free(&j->secret);
    free(j->upstream);
    free(j->user);
    free(j);
}

struct keyring_job *keyring_job_new(const struct identity *who, enum keyring_verb verb, bool resident,
                                    void (*done)(struct keyring_job *j), void *owner)
{
    struct keyring_job *j = mem_zero(sizeof *j);
    j->job.run = keyring_run;
    j->job.done = keyring_done;
    j->verb = verb;
    j->resident = resident;
    j->upstream = provider_keyring_name(who->u->secret, who->name, resident);
    j->done = done;
    j->owner = owner;
    return j;
}
