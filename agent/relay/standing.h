/*
 * How the relay stands, for people who look at it: switched on or off (exeat off), how many requests are under way, and the last that went wrong, in words.
 * What changes is told by the outbound's news. Loop thread only.
 */
#ifndef EXEAT_RELAY_STANDING_H
#define EXEAT_RELAY_STANDING_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/span.h"
#include "http/page.h"

struct exchange;
struct relay;

struct standing {
    bool off;         /* requests go direct or are refused, as [route] when-off says */
    size_t in_flight; /* exchanges, without tunnels */
    char *problem;    /* the last one; NULL: none yet */
    time_t problem_at;
};

/* From now on; what is under way goes on as it began. false: it is so already. */
bool standing_switch(struct relay *r, bool off);
bool standing_is_off(const struct exchange *e);
/* The route of a request while the relay is off. false: it was answered here. */
bool standing_route(struct exchange *e);

void standing_began(struct relay *r);
void standing_ended(struct relay *r);
/* A page of ours is about to say this. Those about the request itself are not for anybody else. */
void standing_problem(struct relay *r, enum page_cause cause, struct span why);
void standing_done(struct relay *r);

#endif
