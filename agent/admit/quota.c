/*
 * Quotas (quota.h).
 */
#include "admit/quota.h"

#include <stdlib.h>

#include "base/buf.h"

#define WINDOW_MS 2000 /* a bucket that was not touched for so long is full */

void quotas_init(struct quotas *q)
{
    *q = (struct quotas){0};
    list_init(&q->rows);
}

static void drop(struct quotas *q, struct quota *row)
{
    list_remove(&row->link);
    q->n--;
    free(row->key);
    free(row);
}

void quotas_done(struct quotas *q)
{
    while (!list_empty(&q->rows))
        drop(q, list_entry(q->rows.next, struct quota, link));
}

struct quota *quota_find(struct quotas *q, struct span key, uint64_t now)
{
    struct list *it, *safe;
    struct quota *found = NULL;
    list_each(it, safe, &q->rows)
    {
        struct quota *row = list_entry(it, struct quota, link);
        if (span_eq(key, span_str(row->key)))
            found = row;
        else if (!row->connections && now + 1 - row->last > WINDOW_MS)
            drop(q, row);
    }
    if (found)
        return found;
    found = mem_zero(sizeof *found);
    found->key = span_dup(key);
    list_push_back(&q->rows, &found->link);
    q->n++;
    return found;
}

void quota_enter(struct quota *row)
{
    row->connections++;
}

void quota_leave(struct quota *row)
{
    row->connections--;
}

bool quota_take(struct quota *row, unsigned rate, uint64_t now)
{
    const uint64_t most = (uint64_t)rate * WINDOW_MS;
    uint64_t gone = row->last ? now + 1 - row->last : WINDOW_MS;
    if (rate == 0)
        return true;
    row->tokens = gone >= WINDOW_MS ? most : row->tokens + gone * rate;
    if (row->tokens > most)
        row->tokens = most;
    row->last = now + 1;
    if (row->tokens < 1000)
        return false;
    row->tokens -= 1000;
    return true;
}
