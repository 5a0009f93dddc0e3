/*
 * A table of things that the agent calls by numbers: the contexts of its connections, to proxies and from clients. The slot is a number's lower half; the upper
 * half differs each time, so that a number is not soon seen again. Owns nothing but the table. One thread.
 */
#ifndef EXEAT_KEYS_SLOTS_H
#define EXEAT_KEYS_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOTS_MOST 65536

/* All zero: empty. */
struct slots {
    void **items; /* NULL where a slot is free */
    size_t n;
    uint32_t serial;
};

/* *id, never 0, is its number from now on. false: the table is full. */
bool slots_place(struct slots *s, void *item, uint32_t *id);
/* What is in that number's slot, perhaps by another number; NULL: nothing. */
void *slots_at(const struct slots *s, uint32_t id);
/* The slot is free, where this item is in it. */
void slots_drop(struct slots *s, uint32_t id, const void *item);
void slots_free(struct slots *s);

#endif
