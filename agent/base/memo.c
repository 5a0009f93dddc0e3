/*
 * A table of chains of fixed width, and one list of all entries in the order of their use. An entry is one piece of memory: its key and value
 * stand behind it.
 */
#include "base/memo.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/list.h"

struct entry {
    struct list used;  /* in memo->used, the latest first */
    struct list chain; /* in a row of the table */
    struct span key, value;
    uint64_t expires;
    char bytes[];
};

struct memo {
    struct list used, *rows;
    size_t n_rows; /* a power of two */
    size_t n, bytes, most, most_bytes;
    uint64_t seed;
};

struct memo *memo_new(size_t entries, size_t bytes)
{
    struct memo *m = mem_zero(sizeof *m);
    *m = (struct memo){.n_rows = 16, .most = entries, .most_bytes = bytes};
    while (m->n_rows < entries)
        m->n_rows *= 2;
    m->rows = mem_alloc(m->n_rows * sizeof *m->rows);
    for (size_t i = 0; i < m->n_rows; i++)
        list_init(&m->rows[i]);
    list_init(&m->used);
    if (getrandom(&m->seed, sizeof m->seed, GRND_NONBLOCK) < 0)
        m->seed = (uint64_t)(uintptr_t)m;
    return m;
}

static void drop(struct memo *m, struct entry *e)
{
    list_remove(&e->used);
    list_remove(&e->chain);
    m->n--;
    m->bytes -= e->key.n + e->value.n;
    free(e);
}

void memo_free(struct memo *m)
{
    if (!m)
        return;
    while (!list_empty(&m->used))
        drop(m, list_entry(m->used.next, struct entry, used));
    free(m->rows);
    free(m);
}

static struct list *row_of(const struct memo *m, struct span key)
{
    uint64_t hash = m->seed ^ 0xcbf29ce484222325u;
    for (size_t i = 0; i < key.n; i++)
        hash = (hash ^ (unsigned char)key.p[i]) * 0x100000001b3u;
    return &m->rows[(hash ^ hash >> 32) & (m->n_rows - 1)];
}

static struct entry *find(const struct memo *m, struct span key)
{
    struct list *row = row_of(m, key), *it, *safe;
    list_each(it, safe, row)
    {
        struct entry *e = list_entry(it, struct entry, chain);
        if (span_eq(e->key, key))
            return e;
    }
    return NULL;
}

void memo_put(struct memo *m, struct span key, struct span value, uint64_t expires)
{
    size_t n = key.n + value.n;
    struct entry *e = mem_alloc(sizeof *e + n); /* first: key or value may be lent from the entry that goes */
    if (key.n)
        memcpy(e->bytes, key.p, key.n);
    if (value.n)
        memcpy(e->bytes + key.n, value.p, value.n);
    e->key = span_make(e->bytes, key.n);
    e->value = span_make(e->bytes + key.n, value.n);
    e->expires = expires;
    struct entry *before = find(m, e->key);
    if (before)
        drop(m, before);
    while (!list_empty(&m->used) && (m->n >= m->most || m->bytes + n > m->most_bytes))
        drop(m, list_entry(m->used.prev, struct entry, used));
    if (m->most == 0 || n > m->most_bytes) {
        free(e);
        return;
    }
    list_push_front(&m->used, &e->used);
    list_push_front(row_of(m, e->key), &e->chain);
    m->n++;
    m->bytes += n;
}

bool memo_get(struct memo *m, struct span key, uint64_t now, struct span *value, bool *fresh)
{
    struct entry *e = find(m, key);
    if (!e)
        return false;
    list_remove(&e->used);
    list_push_front(&m->used, &e->used);
    *value = e->value;
    if (fresh)
        *fresh = now < e->expires;
    return true;
}

void memo_expire(struct memo *m)
{
    struct list *it, *safe;
    list_each(it, safe, &m->used) list_entry(it, struct entry, used)->expires = 0;
}

size_t memo_count(const struct memo *m)
{
    return m->n;
}
