/*
 * The functions that a PAC script finds besides the language's own: those of the original Navigator document, and Microsoft's for IPv6 (Ex).
 * No engine in here: arguments are text, answers are plain values, and names and addresses are asked of whoever runs us.
 */
#ifndef EXEAT_PAC_BUILTINS_H
#define EXEAT_PAC_BUILTINS_H

#include <time.h>

#include "base/buf.h"

/* The world as a script sees it. The lists are joined by ';', and empty when there is nothing. */
struct pac_world {
    void (*resolve)(void *owner, struct span host, struct buf *addresses);
    void (*my_addresses)(void *owner, struct buf *addresses);
    void (*alert)(void *owner, struct span text);
    time_t (*now)(void *owner);
    void *owner;
};

enum pac_kind { PAC_NULL, PAC_UNDEFINED, PAC_TRUTH, PAC_NUMBER, PAC_TEXT };

struct pac_value {
    enum pac_kind kind;
    bool truth;
    double number;
    struct buf text; /* to be freed by the caller */
};

/* `args`: UTF-8; p is NULL for one that is missing, null or undefined. */
typedef void (*pac_builtin_fn)(const struct pac_world *world, const struct span *args, size_t n,
                               struct pac_value *answer);

struct pac_builtin {
    const char *name;
    pac_builtin_fn run;
};

extern const struct pac_builtin pac_builtins[];
extern const size_t pac_n_builtins;

#define PAC_ARGUMENTS_MAX                                                                                    \
    ((size_t)16) /* what comes behind is not looked at: the longest documented call has seven */

#endif
