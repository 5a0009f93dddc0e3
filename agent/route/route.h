/*
 * Where to: a destination to the hops to try, in order, and why. One table per configuration; reference-counted, so that requests under way keep the one they
 * began with. Loop thread only.
 */
#ifndef EXEAT_ROUTE_ROUTE_H
#define EXEAT_ROUTE_ROUTE_H

#include "base/buf.h"
#include "route/headers.h"
#include "route/hop.h"
#include "route/way.h"

struct route_table;

struct route {
    struct way *way;   /* of an upstream, or of what a PAC script said; NULL: direct, or blocked */
    struct hop **hops; /* the table's; take a reference to keep one */
    size_t n;          /* 0: the destination is blocked */
    bool
        may_go_direct; /* when-unreachable = direct: without a proxy, while none of these can be reached (route_direct) */
    const char *
        why; /* "no-proxy .internal.example", "rule *.lab.example lab", "upstream corp", "PAC: PROXY a:3128" */
    struct span failure; /* of the PAC script, in words; empty: it did not fail, or decides nothing here */
};

struct route_table *route_table_new(struct config *c, struct err *e);
struct route_table *route_table_ref(struct route_table *t);
void route_table_unref(struct route_table *t);

/* --- the parts of a decision (decide.h); an answer is valid until the next of these calls, or the table's end --- */

/* true: a rule decides. */
bool route_by_rule(struct route_table *t, struct span host, uint16_t port, struct route *answer);
/* The first upstream. */
void route_first(struct route_table *t, struct route *answer);
/* Past all proxies. `why` is lent on. */
void route_past(struct route_table *t, struct span host, uint16_t port, const char *why,
                struct route *answer);
/* What a PAC script returned. false: nothing in it can be used. *notes: sentences about entries that were skipped, a line each; lent too. */
bool route_by_result(struct route_table *t, struct span host, uint16_t port, struct span result,
                     struct route *answer, struct span *notes);
/* Is a PAC script asked where no rule decides? And when it fails? */
bool route_asks_pac(const struct route_table *t);
enum pac_policy route_pac_failure(const struct route_table *t);

/* By the rules and the first upstream, without a PAC script. */
void route_find(struct route_table *t, struct span host, uint16_t port, struct route *answer);
/* The same destination as a direct hop, which does not lead to this machine's loopback: for clients from beyond it. The table's, as below. */
struct hop *route_outside(struct route_table *t, const struct hop *direct);
/* The destination itself as a hop; the table's, as above. */
struct hop *route_direct(struct route_table *t, struct span host, uint16_t port);
/* What a request to this destination by `hop` is sent to: the hop itself, or the destination behind it (hop_wants_beyond); the table's, as above. */
struct hop *route_beyond(struct route_table *t, struct hop *hop, struct span host, uint16_t port,
                         bool tunnel);
/* Is this hop of the answer tried before the others at `now`? In direct mode (may_go_direct) one that has failed since it was last reached is not tried at
   all: a request must not wait for it. */
bool route_prefers(const struct route *r, const struct hop *h, uint64_t now);
/* For people, a line each: the rules, as far as they are looked at; and what would be tried at `now` (loop_now), in that order. */
void route_explain_rules(const struct route_table *t, struct span host, uint16_t port, struct buf *out);
void route_explain_ways(const struct route *r, struct span host, uint16_t port, uint64_t now,
                        struct buf *out);
/* Both, of a table without an agent: a PAC script is not asked then. */
void route_explain(struct route_table *t, struct span host, uint16_t port, struct buf *out);

/* The table's changes of fields, or NULL; take a reference to keep them. */
struct header_rules *route_table_headers(const struct route_table *t);
/* The ways out, in the order of the configuration. */
struct way *route_table_ways(const struct route_table *t, size_t *n);
/* The hops of the configured proxies, upstream after upstream. */
struct hop **route_table_proxies(const struct route_table *t, size_t *n);
/* Do requests for which a PAC script decided go direct at present, because none of its proxies can be reached? */
bool route_table_pac_detour(const struct route_table *t);
/* Another table has taken its place: what it still makes is kept for nobody. */
void route_table_retire(struct route_table *t);
/* Every hop there is, direct ones too. `visit` must not end the table. */
void route_table_each(struct route_table *t, void (*visit)(struct hop *h));
/* Those whose connections lead to this upstream or through it. */
void route_table_of(struct route_table *t, struct span upstream, void (*visit)(struct hop *h));
/* Of these, the faces for users of gateways who go by this name at that upstream. */
void route_table_of_user(struct route_table *t, struct span upstream, struct span user,
                         void (*visit)(struct hop *h));

#endif
