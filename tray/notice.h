/*
 * Which changes are worth a notification, and when: for each topic (the way of corp, the password of corp) the cause that was told last is remembered, and
 * the same cause is never told again until another one was; the same topic is told at most every NOTICE_PAUSE_S seconds (the end of a ticket: every
 * NOTICE_TICKET_S), and then as it is at that time. No toolkit in here; one thread.
 */
#ifndef EXEAT_TRAY_NOTICE_H
#define EXEAT_TRAY_NOTICE_H

#include "model.h"

#define NOTICE_PAUSE_S  30
#define NOTICE_TICKET_S 600 /* so long before its end */
#define NOTICE_NEVER    UINT64_MAX

enum notice_kind { NOTICE_PASSWORD, NOTICE_ALARM, NOTICE_TICKET, NOTICE_DIRECT, NOTICE_BACK, NOTICE_AGENT };

struct notice {
    enum notice_kind kind;
    const char *upstream;   /* lent until the next call; "" with NOTICE_AGENT */
    struct buf title, text; /* the caller frees */
};

struct notices; /* the memory of it */

struct notices *notices_new(void);
void notices_free(struct notices *n);
/* Compares the model with what was told; `wall`: seconds since 1970. All others: `now` in monotonic seconds, from 1 on. */
void notices_look(struct notices *n, const struct model *m, time_t wall);
/* The next that is due; false: none. */
bool notices_take(struct notices *n, uint64_t now, struct notice *out);
/* What was taken could not be shown: it is news again, `at_once` or after the usual pause. */
void notices_untold(struct notices *n, enum notice_kind kind, const char *upstream, bool at_once);
/* In how many seconds to look again; NOTICE_NEVER. After notices_take has said false. */
uint64_t notices_wait(const struct notices *n, const struct model *m, time_t wall, uint64_t now);

#endif
