/*
 * A counted reference to tickets in memory; the last one destroys them.
 */
#include "keys/handed.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct handed {
    atomic_uint refs;
    char *principal;
    struct ticket ticket;
    struct buf evidence;
    int64_t until; /* of the evidence; seconds since 1970; 0: no end is known */
};

struct handed *handed_new(const char *principal, struct ticket *ticket, struct buf *evidence, int64_t until)
{
    struct handed *h = mem_zero(sizeof *h);
    atomic_init(&h->refs, 1);
    h->principal = mem_strdup(principal);
    h->ticket = *ticket;
    h->evidence = *evidence;
    h->until = until;
    *ticket = (struct ticket){0};
    *evidence = (struct buf){0};
    return h;
}

struct handed *handed_ref(struct handed *h)
{
    if (h)
        atomic_fetch_add(&h->refs, 1);
    return h;
}

void handed_unref(struct handed *h)
{
    if (!h || atomic_fetch_sub(&h->refs, 1) != 1)
        return;
    ticket_free(&h->ticket);
    buf_free(&h->evidence);
    free(h->principal);
    free(h);
}

const char *handed_principal(const struct handed *h)
{
    return h->principal;
}

const struct ticket *handed_ticket(const struct handed *h)
{
    return h->ticket.cache && ticket_lasts(&h->ticket, time(NULL)) ? &h->ticket : NULL;
}

struct span handed_evidence(const struct handed *h)
{
    bool over = h->until && h->until <= time(NULL);
    return over ? SPAN("") : buf_span(&h->evidence);
}

int64_t handed_until(const struct handed *h)
{
    return h->until;
}
