/*
 * Logging out: the keyring forgets first; once it has, a new edition knows nothing. Main thread.
 */
#include <stdlib.h>

#include "keys/keyring_job.h"
#include "keys/login.h"
#include "keys/resident.h"
#include "keys/typed.h"

struct logout {
    struct identity *who;
    uint32_t peer, call;
};

static void forget(const struct logout *l, const struct keyring_job *j)
{
    struct identity *who = l->who;
    if (j && j->kind != PROVIDED && j->kind != PROVIDED_ABSENT) {
        typed_answer(who->k, l->peer, l->call, KEYS_UNAVAILABLE, j->e.text, NULL);
        return;
    }
    if (j && j->resident)
        residents_forget(who, j->user, NULL);
    else
        identity_put(who, edition_new(who));
    typed_answer(who->k, l->peer, l->call, KEYS_OK, "", NULL);
}

static void cleared(struct keyring_job *j)
{
    forget(j->owner, j);
    free(j->owner);
}

void logout_begin(struct keyholder *k, uint32_t peer, const struct keys_msg *m)
{
    struct identity *who = identity_named(k, m->upstream);
    bool resident = m->flags & KEYS_GUEST;
    if (!typed_is_taken(k, who, peer, m))
        return;
    struct identity *guest = resident ? typed_resident(who, peer, m) : NULL;
    if (resident && !guest)
        return;
    const struct logout l = {who, peer, m->call};
    if (!secret_source_is_keyring(who->u->secret)) {
        forget(&l, NULL);
        return;
    }
    struct logout *later = mem_zero(sizeof *later);
    *later = l;
    struct keyring_job *j = keyring_job_new(who, KEYRING_CLEAR, resident, cleared, later);
    j->user = resident ? mem_strdup(guest->account.qualified) : NULL;
    work_submit(&j->job);
}
