/*
 * Texts remembered under texts, for a while: a bounded map whose oldest used entry makes room for a new one. An entry that has expired stays
 * until then, for those who would rather have an old answer than none. Its keys may come from strangers: the hash is seeded. One thread at a time.
 */
#ifndef EXEAT_BASE_MEMO_H
#define EXEAT_BASE_MEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct memo;

/* At most so many entries, and bytes of keys and values together. */
struct memo *memo_new(size_t entries, size_t bytes);
void memo_free(struct memo *m);

/* Replaces what was there; `expires` on whatever clock memo_get is asked by. One that is larger than everything together is forgotten. */
void memo_put(struct memo *m, struct span key, struct span value, uint64_t expires);
/* false: nothing. *value is lent until the next memo_put or the end. `fresh` may be NULL. */
bool memo_get(struct memo *m, struct span key, uint64_t now, struct span *value, bool *fresh);
/* Nothing is fresh any more. */
void memo_expire(struct memo *m);
size_t memo_count(const struct memo *m);

#endif
