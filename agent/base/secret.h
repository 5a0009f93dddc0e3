/*
 * Bytes that must not leave: in locked pages that are not dumped, wiped when released, of a type that no printing or
 * copying function takes by accident. The pages come from OpenSSL's secure heap; secret_start sets it up once per process.
 * A secret belongs to one thread at a time; its owner calls secret_free.
 */
#ifndef EXEAT_BASE_SECRET_H
#define EXEAT_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct secret {
    char *locked; /* NULL: no secret (different from an empty one) */
    size_t length;
};

/* Once, before the first secret: the secure heap, no core dumps, not traceable (PR_SET_DUMPABLE 0). */
void secret_start(void);

/* A copy of the bytes (the caller wipes its own copy: secret_wipe). */
void secret_set(struct secret *s, struct span bytes);
/* Appends; the old pages are wiped. */
void secret_add(struct secret *s, struct span bytes);
/* All that a file or pipe has, until its end. false: errno says why; EFBIG: it has more than `most` bytes. */
bool secret_read(struct secret *s, int fd, size_t most);
void secret_move(struct secret *to, struct secret *from); /* `from` is empty afterwards */
void secret_free(struct secret *s);
bool secret_present(const struct secret *s);
bool secret_eq(const struct secret *a, const struct secret *b); /* in constant time for equal lengths */

/* The bytes, for the one call that needs them. Valid until the secret changes. A NUL stands behind them. */
struct span secret_reveal(const struct secret *s);

void secret_wipe(void *p, size_t n); /* for copies elsewhere */

/* Wipes the dead part of the calling thread's stack: what functions that have returned left there, and what the dynamic
   linker spilled from vector registers that had been copying a secret. To be called from a shallow place, between events. */
void secret_wipe_stack(void);

#endif
