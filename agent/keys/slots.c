/*
 * The first free slot is taken; the table doubles, and stays as large as it was once needed.
 */
#include "keys/slots.h"

#include <stdlib.h>

#include "base/buf.h"

#define SLOTS_FIRST 64

bool slots_place(struct slots *s, void *item, uint32_t *id)
{
    size_t slot = 0;
    while (slot < s->n && s->items[slot])
        slot++;
    if (slot == SLOTS_MOST)
        return false;
    if (slot == s->n) {
        size_t n = s->n ? s->n * 2 : SLOTS_FIRST;
        s->items = mem_grow(s->items, n * sizeof(void *));
        memset(s->items + s->n, 0, (n - s->n) * sizeof(void *));
        s->n = n;
    }
    s->items[slot] = item;
    s->serial = s->serial % 0xffff + 1;
    *id = s->serial << 16 | (uint32_t)slot;
    return true;
}

void *slots_at(const struct slots *s, uint32_t id)
{
    size_t slot = id & (SLOTS_MOST - 1);
    return slot < s->n ? s->items[slot] : NULL;
}

void slots_drop(struct slots *s, uint32_t id, const void *item)
{
    size_t slot = id & (SLOTS_MOST - 1);
    if (slot < s->n && s->items[slot] == item)
        s->items[slot] = NULL;
}

void slots_free(struct slots *s)
{
    free(s->items);
    *s = (struct slots){0};
}
