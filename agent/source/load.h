/*
 * One attempt to have a script: from a URL, a file, or by WPAD. Ends exactly once, never inside load_start, and not after load_cancel.
 */
#ifndef EXEAT_SOURCE_LOAD_H
#define EXEAT_SOURCE_LOAD_H

#include "config/config.h"
#include "net/loop.h"
#include "source/kept.h"
#include "source/look.h"

enum load_kind { LOAD_URL, LOAD_FILE, LOAD_WPAD };

struct load_wish {
    enum load_kind kind;
    const char *place;       /* URL, path; NULL for WPAD */
    const struct kept *have; /* LOAD_URL, LOAD_WPAD: what there is, or NULL */
    struct look_seen seen;   /* LOAD_FILE: what the file was */
    const char *resolv_conf; /* LOAD_WPAD: path */
    struct config *own;      /* whose listeners must not be asked; NULL: nobody's */
};

enum load_result {
    LOAD_NEW,
    LOAD_SAME,
    LOAD_NONE, /* WPAD: there is none in this network */
    LOAD_FAILED,
};

/* Lent for the call. */
struct loaded {
    enum load_result result;
    struct span script, charset, from, etag,
        modified;          /* LOAD_NEW; LOAD_SAME: etag and modified where they are named anew */
    unsigned fresh;        /* seconds */
    struct look_seen seen; /* LOAD_FILE */
    struct span why;       /* LOAD_NONE, LOAD_FAILED: a sentence without full stop */
};
typedef void (*loaded_fn)(void *owner, const struct loaded *answer);

struct load;

struct load *load_start(struct loop *loop, const struct load_wish *wish, loaded_fn done, void *owner);
void load_cancel(struct load *l);

/* Whether bytes from a web server can be a PAC script at all, or are a page that stands in front of it (a hotel's, an error's). Pure. */
bool load_is_script(struct span bytes);
/* Whether a connection there comes to one of our own listeners. Pure. */
bool load_is_ours(const struct config *c, struct span host, uint16_t port);

#endif
