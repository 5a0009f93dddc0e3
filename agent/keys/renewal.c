/*
 * Renewal without polling: one deadline for each edition that has a ticket, set when the ticket comes. What is due then is a search as any
 * other (negotiate_part.c): the user's own ticket once more (somebody may have run kinit), else ours renewed by the KDC, else acquired anew with
 * password or keytab. Requests go on with the old ticket meanwhile. A ticket that no request has taken since it came is left to end: an idle
 * laptop does not talk to the KDC all night, and the first request of the morning gets a new one. Main thread.
 */
#include "keys/renewal.h"

#include <sys/random.h>

#include "base/log.h"
#include "keys/identity.h"

#define LATER_FIRST_MS 30000
#define LATER_MOST_MS  600000

time_t renewal_time(time_t start, time_t until, uint32_t dice)
{
    int64_t life = until > start ? (int64_t)until - start : 0;
    return start + (time_t)(life * (800 + dice % 101) / 1000);
}

static uint32_t throw_dice(void)
{
    uint32_t dice = 0;
    if (getrandom(&dice, sizeof dice, GRND_NONBLOCK) != (ssize_t)sizeof dice)
        dice = (uint32_t)now_ms();
    return dice;
}

static void begin(struct edition *e)
{
    e->renewal.state = RENEWAL_DUE;
    e->renewal.since = ++e->who->k->tick;
    log_debug(NULL, "upstream %s: renewing the ticket of %s", e->who->name, identity_text(e));
    edition_renew(e);
}

static void passed(struct deadline *d)
{
    struct edition *e = list_entry(d, struct edition, renewal.deadline);
    if (e != e->who->current)
        return;
    if (e->renewal.used)
        begin(e);
    else
        log_debug(NULL, "upstream %s: the ticket of %s is not in use, and not renewed", e->who->name,
                  identity_text(e));
}

void renewal_init(struct renewal *r)
{
    *r = (struct renewal){0};
    deadline_init(&r->deadline, passed);
}

void renewal_plan(struct edition *e)
{
    struct renewal *r = &e->renewal;
    const struct ticket *t = &e->bundle->ticket;
    time_t now = time(NULL);
    deadline_unset(&r->deadline);
    r->used = false;
    r->tries = 0;
    if (e->who->resident) { /* what comes after it, the user's next connection or request brings */
        r->state = RENEWAL_NONE;
        return;
    }
    r->at = renewal_time(t->start, t->until, throw_dice());
    r->state = t->cache && r->at > now ? RENEWAL_PLANNED : RENEWAL_NONE;
    if (r->state == RENEWAL_PLANNED)
        deadline_set(&e->who->k->deadlines, &r->deadline, (int64_t)(r->at - now) * 1000);
}

void renewal_use(struct edition *e)
{
    struct renewal *r = &e->renewal;
    r->used = true;
    /* Its time passed while it was not in use, or while the computer slept. */
    if (r->state == RENEWAL_PLANNED && time(NULL) >= r->at && e == e->who->current) {
        deadline_unset(&r->deadline);
        begin(e);
    }
}

void renewal_go_on(struct edition *e)
{
    if (e->renewal.state == RENEWAL_DUE)
        edition_renew_further(e);
}

void renewal_failed(struct edition *e, enum ticket_result result, const struct err *why)
{
    struct renewal *r = &e->renewal;
    if (r->state != RENEWAL_DUE || !e->bundle)
        return;
    r->state = RENEWAL_NONE;
    int64_t pause = LATER_FIRST_MS, left = ((int64_t)e->bundle->ticket.until - time(NULL)) * 1000;
    for (unsigned i = 0; i < r->tries && pause < LATER_MOST_MS; i++)
        pause *= 2;
    if (pause > LATER_MOST_MS)
        pause = LATER_MOST_MS;
    if (pause > left / 8) /* a short life has room for some tries too */
        pause = left / 8;
    bool again = result == TICKET_UNREACHABLE && left > 0;
    log_info(NULL, "upstream %s: the ticket of %s is not renewed: %s", e->who->name, identity_text(e),
             why->text);
    if (again) {
        r->tries++;
        r->state = RENEWAL_LATER;
        deadline_set(&e->who->k->deadlines, &r->deadline, pause * (800 + throw_dice() % 401) / 1000);
    }
}
