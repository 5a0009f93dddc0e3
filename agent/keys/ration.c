/*
 * The places of ration.h, in no order: there are few of them.
 */
#include "keys/ration.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static void clear(struct ration_place *p)
{
    free(p->account);
    free(p->mark);
    *p = (struct ration_place){0};
}

static bool holds(const struct ration_place *p, const char *account, const char *mark)
{
    return p->account && strcmp(p->account, account) == 0 && strcmp(p->mark, mark) == 0;
}

/* Clears what is over. NULL: it has no place. */
static struct ration_place *find(struct ration *r, const char *account, const char *mark, int64_t now)
{
    struct ration_place *found = NULL;
    for (size_t i = 0; i < RATION_ALL; i++) {
        struct ration_place *p = &r->places[i];
        if (holds(p, account, mark))
            found = p;
        else if (p->account && p->until <= now)
            clear(p);
    }
    return found;
}

/* What an account has had: each pair counts from the moment that it may be shown. */
static unsigned spent(const struct ration *r, const char *account, unsigned *pairs)
{
    unsigned n = 0;
    *pairs = 0;
    for (size_t i = 0; i < RATION_ALL; i++) {
        const struct ration_place *p = &r->places[i];
        if (!p->account || strcmp(p->account, account) != 0)
            continue;
        n += p->shown ? p->shown : 1;
        ++*pairs;
    }
    return n;
}

static struct ration_place *vacant(struct ration *r)
{
    for (size_t i = 0; i < RATION_ALL; i++)
        if (!r->places[i].account)
            return &r->places[i];
    return NULL;
}

bool ration_take(struct ration *r, const char *account, const char *mark, int64_t now)
{
    unsigned pairs;
    if (find(r, account, mark, now))
        return true;
    struct ration_place *p = vacant(r);
    if (!p || spent(r, account, &pairs) >= RATION_ACCOUNT)
        return false;
    *p = (struct ration_place){mem_strdup(account), mem_strdup(mark), now + RATION_MS, 0};
    return true;
}

bool ration_show(struct ration *r, const char *account, const char *mark, int64_t now)
{
    unsigned pairs;
    if (!ration_take(r, account, mark, now))
        return false;
    struct ration_place *p = find(r, account, mark, now);
    if (p->shown && spent(r, account, &pairs) >= RATION_ACCOUNT && pairs > 1)
        return false;
    p->shown++;
    p->until = now + RATION_MS;
    return true;
}

void ration_return(struct ration *r, const char *account, const char *mark)
{
    for (size_t i = 0; i < RATION_ALL; i++)
        if (holds(&r->places[i], account, mark))
            clear(&r->places[i]);
}

void ration_free(struct ration *r)
{
    for (size_t i = 0; i < RATION_ALL; i++)
        clear(&r->places[i]);
}
