/*
 * Intrusive doubly linked list, circular with a head of the same type: put a struct list into your struct.
 * An element is in one list at most; list_remove leaves it pointing at itself, so removing twice is harmless.
 */
#ifndef EXEAT_BASE_LIST_H
#define EXEAT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define LIST_HEAD(name)                                                                                      \
    {                                                                                                        \
        &(name), &(name)                                                                                     \
    }

/* The struct that holds `node` as its member. */
#define list_entry(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_insert_between(struct list *node, struct list *before, struct list *after)
{
    node->prev = before;
    node->next = after;
    before->next = node;
    after->prev = node;
}

static inline void list_push_back(struct list *l, struct list *node)
{
    list_insert_between(node, l->prev, l);
}

static inline void list_push_front(struct list *l, struct list *node)
{
    list_insert_between(node, l, l->next);
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* `it` may be removed from the list in the loop's body; its neighbour `safe` may not. */
#define list_each(it, safe, l)                                                                               \
    for ((it) = (l)->next, (safe) = (it)->next; (it) != (l); (it) = (safe), (safe) = (it)->next)

#endif
