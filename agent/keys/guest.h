/*
 * What identities have in common that no [upstream] section stands for by itself: those that clients bring (visitor.h) and those of a gateway's users
 * (resident.h). Each is a struct identity of its own, apart from the configured one (its host) and from the others in all that is learned of the proxies,
 * and under the same guards. It lives as long as connections use it, and a while longer. Main thread.
 */
#ifndef EXEAT_KEYS_GUEST_H
#define EXEAT_KEYS_GUEST_H

#include "keys/identity.h"

#define GUEST_REST_MS (10 * 60 * 1000) /* kept so long after its last connection */

struct guest;

struct guest_kind {
    size_t most; /* of them at once */
    /* The configuration lets such guests be at this upstream. */
    bool (*welcome)(const struct identity *host);
    /* Their section: the host's, but for whose secret it is. */
    struct config_upstream (*section)(const struct config_upstream *host);
    void (*free)(struct guest *g);
};

struct guest {
    const struct guest_kind *kind;
    struct identity *who;
    struct config_upstream section; /* its texts are the configuration's */
    struct deadline end;            /* set while it rests */
    bool retired; /* its section is an earlier configuration's: what has begun goes on by that */
};

/* A new identity, with *g as its guest half; without an edition yet. The account is copied. */
struct identity *guest_new(struct guest *g, const struct guest_kind *kind, struct identity *host,
                           const struct account *account);
/* Room for one more of its kind: the one that has rested for longest goes. false: all are in use. */
bool guest_make_room(struct keyholder *k, const struct guest_kind *kind);
/* A guest of this kind at this host that `is_it` knows. NULL: none. */
struct identity *guest_find(const struct identity *host, const struct guest_kind *kind,
                            bool (*is_it)(const struct identity *who, const void *mark), const void *mark);
/* Its last connection has gone. */
void guest_rest(struct identity *who);
/* The configuration was read again. */
void guests_sync(struct keyholder *k);
/* For identity.c alone. */
void guest_free(struct guest *g);

/* Why an OPEN for a guest is answered with no. */
struct guest_no {
    enum keys_verdict verdict;
    const char *why;    /* a sentence */
    const char *remedy; /* a sentence, or NULL */
};

#endif
