/*
 * Refused secrets, remembered over restarts: one line for each (account, keyed hash, upstream or all). The hash is HMAC-SHA256 under
 * a random key that stays in the state directory (0600): the file tells nobody a password, nor whether two accounts have the same. Main thread.
 */
#ifndef EXEAT_KEYS_MARK_H
#define EXEAT_KEYS_MARK_H

#include "base/err.h"
#include "base/list.h"
#include "base/secret.h"

#define MARK_HEX 64 /* hex digits of a mark */

struct mark {
    struct list node;
    char *account; /* account key */
    char hash[MARK_HEX + 1];
    char *upstream; /* NULL: refused for all */
};

struct marks {
    struct list all; /* struct mark, oldest first */
    size_t n;
    char *directory; /* NULL: nothing is kept on disk */
    struct secret key;
};

/* `directory` NULL: in memory only, with a key of this run. What cannot be read is warned about and left out. */
void marks_open(struct marks *m, const char *directory);
void marks_close(struct marks *m);

/* The mark of a secret for one account. */
void marks_hash(const struct marks *m, const char *account, const struct secret *secret,
                char hash[MARK_HEX + 1]);

void marks_add(struct marks *m, const char *account, const char *hash,
               const char *upstream); /* and writes the file */
/* What a success at this upstream takes back: its own mark, and the one for all. What another upstream refused it refused. */
void marks_remove(struct marks *m, const char *account, const char *hash, const char *upstream);

#endif
