/*
 * Moving in: the settings of other relays, and what becomes of each. One table, which config/coming-from.md tells in words for people (a test compares the
 * two). Fills a draft; nothing is written here. One thread.
 */
#ifndef EXEAT_CLI_MOVE_H
#define EXEAT_CLI_MOVE_H

#include "cli/draft.h"

enum move_from { MOVE_CNTLM, MOVE_PX, MOVE_ALPACA, MOVE_ENVIRONMENT };

struct move_row;
typedef void (*move_take)(struct draft *d, const struct move_row *row, struct span key, struct span value);

struct move_row {
    enum move_from from;
    const char *keys; /* separated by blanks; any letter case, but for flags and variables */
    const char *
        to; /* "section.key", separated by blanks: the settings that it may become; NULL: it has no counterpart */
    move_take take;  /* NULL: it is only noted */
    const char *why; /* what a note says of it; may be NULL where `take` says it */
};
extern const struct move_row move_rows[]; /* ends with keys NULL */

/* The name of the program, as a heading of coming-from.md. */
const char *move_name(enum move_from from);

/* One foreign setting. What is not in the table is noted as unknown. */
void move_take_one(struct draft *d, enum move_from from, struct span key, struct span value);
/* What can be said only when all has been read. */
void move_finish(struct draft *d);

/* --- values that take more than a line --- */

/* move_auth.c: the name of a scheme. */
void move_take_auth(struct draft *d, const struct move_row *row, struct span key, struct span value);
/* move_range.c: "10.0.0.1-10.0.0.50", as networks (64 at most). false: it is no such range. */
bool move_range(struct span word, void (*each)(void *owner, struct span network), void *owner);
/* Of a proxy's URL, what is compared: host and port. */
struct span move_authority(struct span url);

/* --- move_read.c: the foreign forms --- */

/* cntlm's or px's, by what it looks like. false: it looks like neither, and not one key of it is known. */
bool move_read_file(struct draft *d, struct span text, enum move_from *from);
/* A command line of alpaca: words, quotes as in a shell. false: a quote is not closed. */
bool move_read_flags(struct draft *d, struct span line);
bool move_is_flags(struct span line);
void move_read_environment(struct draft *d);

#endif
