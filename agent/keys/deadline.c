/*
 * A list sorted by time, searched from its end: nearly all deadlines have the same length, so a new one belongs last.
 */
#include "keys/deadline.h"

#include <limits.h>
#include <time.h>

int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void deadlines_init(struct deadlines *all)
{
    list_init(&all->sorted);
}

void deadline_init(struct deadline *d, void (*passed)(struct deadline *d))
{
    list_init(&d->node);
    d->at = 0;
    d->passed = passed;
}

void deadline_set(struct deadlines *all, struct deadline *d, int64_t ms_from_now)
{
    list_remove(&d->node);
    d->at = now_ms() + ms_from_now;
    struct list *after = all->sorted.prev;
    while (after != &all->sorted && list_entry(after, struct deadline, node)->at > d->at)
        after = after->prev;
    list_insert_between(&d->node, after, after->next);
}

void deadline_unset(struct deadline *d)
{
    list_remove(&d->node);
}

int deadlines_wait(const struct deadlines *all)
{
    if (list_empty(&all->sorted))
        return -1;
    int64_t left = list_entry(all->sorted.next, struct deadline, node)->at - now_ms();
    return left <= 0 ? 0 : left >= INT_MAX ? INT_MAX : (int)left + 1;
}

void deadlines_run(struct deadlines *all)
{
    int64_t now = now_ms();
    while (!list_empty(&all->sorted)) {
        struct deadline *d = list_entry(all->sorted.next, struct deadline, node);
        if (d->at > now)
            return;
        list_remove(&d->node);
        d->passed(d);
    }
}
