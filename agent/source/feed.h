/*
 * One place that a script comes from, and what we know of it: the script, how old it is, when to look again, the copy on disk. Looks only when
 * asked. The copy, of scripts from URLs, is read at the start and written when a script has been found good. Loop thread only.
 */
#ifndef EXEAT_SOURCE_FEED_H
#define EXEAT_SOURCE_FEED_H

#include "source/load.h"
#include "source/pac_source.h"

struct feed;

/* Never inside a function of this header. feed_free not inside one of them. */
struct feed_events {
    void (*script)(void *owner, struct span name, struct span bytes, const char *charset);
    void (*none)(void *owner, struct span why);
    void (*failed)(void *owner, struct span why);
    void (*settled)(void *owner); /* after feed_want said false, once */
};

struct feed_place {
    enum load_kind kind;
    const char *place;       /* NULL for WPAD */
    const char *folder;      /* for copies; NULL: none are kept */
    const char *resolv_conf; /* outlives the feed */
};

struct feed *feed_new(struct loop *loop, const struct feed_place *where, struct config *own,
                      const struct feed_events *events, void *owner);
void feed_free(struct feed *f);
bool feed_is(const struct feed *f, enum load_kind kind, const char *place);
/* Other listeners of our own. */
void feed_own(struct feed *f, struct config *own);

/* As pac_source_want. */
bool feed_want(struct feed *f);
/* What there is may be old: look at the next request. */
void feed_doubt(struct feed *f);
/* As pac_source_judge. */
bool feed_judge(struct feed *f, bool good, struct span why);

/* Fills in what it knows: place, etag, error, size, age, from_disk, busy, retry_in. */
void feed_state(const struct feed *f, struct pac_source_state *out);

#endif
