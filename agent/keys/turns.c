/*
 * Whose turn it is: who waits longest, of the networks that have fewest under way.
 */
#include "keys/turns.h"

#include <string.h>

void turns_init(struct turns *q)
{
    *q = (struct turns){0};
    list_init(&q->waiting);
}

void turn_init(struct turn *t, struct job *job, const char *network)
{
    list_init(&t->link);
    t->job = job;
    t->network = network;
}

static bool are_neighbours(const struct turn *a, const struct turn *b)
{
    return strcmp(a->network, b->network) == 0;
}

/* The one that waits longest, of a network for which few are computed now: so a network that sends many does not keep others waiting. */
static struct turn *whose_turn(const struct turns *q)
{
    struct turn *best = NULL;
    size_t fewest = TURNS_AT_ONCE + 1;
    for (struct list *at = q->waiting.next; at != &q->waiting; at = at->next) {
        struct turn *t = list_entry(at, struct turn, link);
        size_t n = 0;
        for (size_t i = 0; i < TURNS_AT_ONCE; i++)
            n += q->running[i] && are_neighbours(q->running[i], t);
        if (n < fewest) {
            best = t;
            fewest = n;
        }
        if (n == 0)
            break;
    }
    return best;
}

void turns_next(struct turns *q)
{
    for (size_t i = 0; i < TURNS_AT_ONCE; i++) {
        struct turn *t = q->running[i] ? NULL : whose_turn(q);
        if (!t)
            continue;
        turn_leave(t);
        q->running[i] = t;
        work_submit(t->job);
    }
}

bool turns_are_crowded(const struct turns *q, const struct turn *t)
{
    size_t n = 0;
    for (const struct list *at = q->waiting.next; at != &q->waiting; at = at->next)
        n += are_neighbours(list_entry(at, const struct turn, link), t);
    return n >= TURNS_WAITING;
}

void turns_queue(struct turns *q, struct turn *t)
{
    list_push_back(&q->waiting, &t->link);
}

bool turn_waits(const struct turn *t)
{
    return !list_empty(&t->link);
}

void turn_leave(struct turn *t)
{
    list_remove(&t->link);
}

void turns_over(struct turns *q, const struct turn *t)
{
    for (size_t i = 0; i < TURNS_AT_ONCE; i++)
        if (q->running[i] == t)
            q->running[i] = NULL;
}
