/*
 * The whole keyholder as its main thread sees it. Everything here is the main thread's alone; workers get copies (work.h).
 */
#ifndef EXEAT_KEYS_KEYHOLDER_H
#define EXEAT_KEYS_KEYHOLDER_H

#include "config/config.h"
#include "keys/deadline.h"
#include "keys/floor.h"
#include "keys/mark.h"
#include "keys/ration.h"
#include "wire/keys_msg.h"

#define PEER_AGENT 0u /* descriptor 3; login clients are numbered from 1 */

struct accepts;
struct contexts;
struct serve;

struct keyholder {
    const char *config_path; /* as given; NULL: the usual places */
    struct config *config;
    struct list identities; /* struct identity */
    struct list guards;     /* struct guard, one reference each */
    struct marks marks;
    struct ration ration; /* of passwords that clients may try */
    struct floors floors;
    struct deadlines deadlines;
    struct contexts *contexts;
    struct accepts *accepts; /* of our own gateways' clients */
    struct serve *serve;
    bool
        one_errand; /* descriptor 3 leads to a verb that asks one question, makes its trial connection, and ends */
    uint32_t last_trial;
    uint32_t last_generation; /* of all residents together (resident.h) */
    unsigned network; /* another one each time the agent says so: what failed in an older one says nothing */
    uint64_t tick;    /* grows with each question and each finding: what was before what */
};

/* One message from a peer, well-formed. Answers go out through serve_send, now or later. */
void calls_take(struct keyholder *k, uint32_t peer, const struct keys_msg *m);

/* Queues a message; dropped when the peer has gone. What was queued is wiped when it has been sent. */
void serve_send(struct keyholder *k, uint32_t peer, const struct keys_msg *m);

#endif
