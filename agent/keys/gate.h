/*
 * A gateway as the keyholder sees it: who may come in by which schemes, and what is needed to tell: its users, GSSAPI's credentials, Digest's nonces. Made
 * anew at each reload; contexts and jobs hold references, which the main thread counts. What it has at hand may be asked for by any thread.
 */
#ifndef EXEAT_KEYS_GATE_H
#define EXEAT_KEYS_GATE_H

#include "config/config.h"
#include "keys/accept_basic.h"
#include "keys/accept_digest.h"
#include "keys/accept_gss.h"

struct gate_inside;

struct gate {
    unsigned refs;
    char *name, *realm;
    char *domain;                           /* NULL: none */
    enum auth_scheme schemes[AUTH_SCHEMES]; /* in the order of the challenges */
    size_t n;
    bool winbind;
    bool per_user; /* its users are acted for (identity = per-user) */
    struct accept_memo *memo;
    struct digest_gate *digest;
    struct gate_inside *inside;
};

struct gate *gate_new(const struct config_gateway *g, const char *replays);
struct gate *gate_ref(struct gate *g);
void gate_unref(struct gate *g);
/* Do both act for the users of one name as the same account? */
bool gate_means_the_same(const struct gate *a, const struct gate *b);
bool gate_offers(const struct gate *g, enum auth_scheme scheme);

/* What a gate has at hand now: references of its own, and which schemes work with it. */
struct gate_hand {
    struct users *users;              /* NULL: none */
    struct gss_door *kerberos, *ntlm; /* NULL: cannot be accepted, or are not offered */
    bool works[AUTH_SCHEMES];
    bool any;
    struct buf why; /* what does not work, sentence by sentence */
    const char *remedy;
};

/* Worker threads. The users' file and the keytab are looked at again where they have changed. */
void gate_reach(struct gate *g, struct gate_hand *hand);
void gate_hand_free(struct gate_hand *hand);
/* The challenges of all schemes that work, each followed by LF. */
void gate_challenge(struct gate *g, const struct gate_hand *hand, bool stale, int64_t now, struct buf *lines);

#endif
