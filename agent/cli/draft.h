/*
 * A configuration in the making: values for settings, with where each came from, and notes on what has no place in it. Each value is shown to the
 * parser before it is taken, so that what a foreign file says can spoil a line of notes at most. Secrets stand beside the text, never in it. Owned by
 * whoever began it. One thread.
 */
#ifndef EXEAT_CLI_DRAFT_H
#define EXEAT_CLI_DRAFT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "config/keys.h"

#define DRAFT_UPSTREAM "corp" /* the name of the one upstream */
#define DRAFT_FORWARDS 32     /* fixed tunnels, at most */
#define DRAFT_ITEMS    4096   /* values, at most */
#define DRAFT_ROWS     128    /* of a table of foreign settings, at most */

struct draft {
    struct buf values[SETTINGS_MAX]; /* as they stand in the file; of one that repeats, a line each */
    struct buf from[SETTINGS_MAX];   /* the names of the foreign settings, separated by ", " */
    struct buf forwards;             /* whole sections */
    unsigned n_forwards, n_items;
    struct buf notes;                /* a line each: what was left out, and why */
    struct buf hosts, ports;         /* of listeners, where a program keeps them apart; separated by blanks */
    struct secret password, nt_hash; /* for the keyring */
    unsigned n_known;                /* foreign settings that the table has */
    bool seen[DRAFT_ROWS];           /* by row of that table */
};

void draft_free(struct draft *d);

/* One value of `section` and `key` (an item more, where that is a list; nothing is unquoted in `value`). `from`: the foreign name. false: the parser does not
   take it, and a note says so. */
bool draft_put(struct draft *d, const char *section, const char *key, struct span from, struct span value);
bool draft_has(const struct draft *d, const char *section, const char *key);
/* Takes back what was put there. */
void draft_drop(struct draft *d, const char *section, const char *key);
bool draft_forward(struct draft *d, struct span listen, struct span target);
/* Never with a value: it may be a secret. */
void draft_note(struct draft *d, struct span from, const char *why);

/* The file's text; `title`: where it came from. */
void draft_write(struct draft *d, struct span title, struct buf *out);
/* The text for good: what does not go together with the rest is left out, and noted. false: *e; *out is there all the same. */
bool draft_finish(struct draft *d, struct span title, struct buf *out, struct err *e);
/* Whether the parser takes the whole, and the router. */
bool draft_check(struct span text, struct err *e);

#endif
