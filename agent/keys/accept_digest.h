/*
 * Digest access authentication (RFC 7616), server side: qop=auth; SHA-256, MD5, SHA-512-256; names of users in clear or as a hash. A nonce carries its own time and a keyed hash, so that nothing is kept
 * for the clients that never come back; what is kept, in a table of fixed size, is which counts (nc) of a nonce were seen. Threads may share a gate.
 */
#ifndef EXEAT_KEYS_ACCEPT_DIGEST_H
#define EXEAT_KEYS_ACCEPT_DIGEST_H

#include "base/buf.h"
#include "config/config.h"
#include "keys/users.h"

#define DIGEST_NONCE_MS                                                                                      \
    ((int64_t)300 * 1000) /* how long a nonce is good; then another one is offered as stale=true */

struct digest_gate;

/* Of one gateway, which offers these hashes in this order; all is copied. NULL: no random numbers. */
struct digest_gate *digest_gate_new(const char *realm, const enum digest_hash *hashes, size_t n);
void digest_gate_free(struct digest_gate *g);

/* Has anybody one of the hashes that are offered? */
bool digest_gate_can(const struct digest_gate *g, const struct users *u);
/* Appends the challenges for what the users have hashes for, each followed by LF. `now`: milliseconds since 1970. */
void digest_gate_offer(struct digest_gate *g, const struct users *u, bool stale, int64_t now,
                       struct buf *lines);

enum digest_judgement {
    DIGEST_RIGHT,   /* `user` knows the password */
    DIGEST_STALE,   /* the same, but the nonce is no good any more, or this very answer was seen before */
    DIGEST_WRONG,   /* the answer is wrong, or nobody is called so */
    DIGEST_UNTRIED, /* may_try said no */
    DIGEST_FOREIGN, /* for another realm or an algorithm that is not offered: nobody's password was tried */
    DIGEST_BROKEN,  /* malformed: *why reads on after "The field Proxy-Authorization" */
};

struct digest_asked {
    struct span header; /* the whole value, from "Digest" on */
    struct span method, target;
    int64_t now;
    bool (*may_try)(void *owner, struct span user); /* asked before the password's hash is compared */
    void *owner;
};

struct digest_result {
    char *user;      /* as the client says, or behind what it says; NULL: unknown. The caller frees */
    struct buf info; /* DIGEST_RIGHT: the value of Proxy-Authentication-Info; the caller frees */
    const char *why;
};

enum digest_judgement digest_gate_check(struct digest_gate *g, const struct users *u,
                                        const struct digest_asked *request, struct digest_result *result);

#endif
