/*
 * When a ticket is renewed ahead of its end. Part of an edition; main thread.
 */
#ifndef EXEAT_KEYS_RENEWAL_H
#define EXEAT_KEYS_RENEWAL_H

#include <stdbool.h>
#include <time.h>

#include "base/err.h"
#include "keys/deadline.h"
#include "keys/ticket.h"

struct edition;

enum renewal_state {
    RENEWAL_NONE,    /* no ticket, or nothing more is done before its end */
    RENEWAL_PLANNED, /* at `at`, if it is in use */
    RENEWAL_DUE,     /* under way */
    RENEWAL_LATER,   /* no KDC answered: again when the deadline has passed */
};

struct renewal {
    enum renewal_state state;
    struct deadline deadline;
    time_t at;      /* seconds since 1970: a deadline does not see that the computer slept */
    bool used;      /* a request took the ticket since it came */
    unsigned tries; /* that no KDC answered */
    uint64_t since; /* tick */
};

/* Somewhere between 80 and 90 % of the ticket's life, by `dice`: so that a thousand desks do not ask the KDC in one second. Pure. */
time_t renewal_time(time_t start, time_t until, uint32_t dice);

void renewal_init(struct renewal *r);
void renewal_plan(struct edition *e); /* e->bundle is new */
void renewal_use(struct edition *e);  /* a request takes its ticket */
/* There is news about what a renewal under way was waiting for: the password, the guard's verdict. */
void renewal_go_on(struct edition *e);
/* It brought nothing. */
void renewal_failed(struct edition *e, enum ticket_result result, const struct err *why);

#endif
