/*
 * The guards of all accounts, and what a refusal sets off beyond the guard itself: the mark on disk, the line in the log, and the
 * end of waiting for all who hoped for the same secret. Main thread.
 */
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/log.h"
#include "keys/identity.h"

#define GUARDS_MAX 4096 /* more than guests can hold (visitor.h, resident.h: one or two each) */

/* Gives up guards that nobody uses, the oldest first. A frozen one is remembered by its mark; one that has none goes last. */
static void drop_unused(struct keyholder *k)
{
    size_t n = 0;
    struct list *it, *safe;
    list_each(it, safe, &k->guards) n++;
    for (int round = 0; round < 2; round++) {
        list_each(it, safe, &k->guards)
        {
            struct guard *g = list_entry(it, struct guard, node);
            bool only_here = g->frozen && !g->lasting;
            if (n >= GUARDS_MAX && g->refs == 1 && (round || !only_here)) {
                guard_unref(g);
                n--;
            }
        }
    }
}

struct guard *guard_get(struct keyholder *k, const char *account, const char *mark)
{
    struct list *it, *safe;
    list_each(it, safe, &k->guards)
    {
        struct guard *g = list_entry(it, struct guard, node);
        if (strcmp(g->account, account) == 0 && strcmp(g->mark, mark) == 0)
            return guard_ref(g);
    }
    drop_unused(k);
    struct guard *g = guard_new(account, mark);
    list_push_back(&k->guards, &g->node);
    list_each(it, safe, &k->marks.all)
    {
        const struct mark *m = list_entry(it, struct mark, node);
        if (strcmp(m->account, account) == 0 && strcmp(m->hash, mark) == 0)
            guard_freeze(g, m->upstream);
    }
    return guard_ref(g);
}

static bool is_password(const struct guard *g)
{
    return strlen(g->mark) == MARK_HEX;
}

enum guard_fall guard_settle_refused(struct keyholder *k, struct guard_attempt *attempt, const char *upstream,
                                     const char *by, bool denied)
{
    enum guard_fall fall = GUARD_FELL_FROZEN;
    struct guard *g = guard_ref(attempt->guard);
    if (!g)
        return fall;
    if (denied)
        guard_denied(attempt);
    else
        fall = guard_refused(attempt, now_ms());
    free(g->refused_by);
    g->refused_by = mem_strdup(by);
    g->refused_at = time(NULL);
    if (fall == GUARD_FELL_FROZEN) {
        log_warning(NULL, "%s refused %s: nothing more is sent with it until it changes", by,
                    is_password(g) ? "the password" : "the Kerberos ticket");
        if (is_password(g) && g->lasting)
            marks_add(&k->marks, g->account, g->mark, g->frozen ? NULL : upstream);
    }
    identities_wake_guard(k, g);
    guard_unref(g);
    return fall;
}
