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

bool ration_take(struct ration *r, const char *account, const char *mark, int64_t now)
{
    struct ration_place *vacant = NULL;
    unsigned of_account = 0;
    for (size_t i = 0; i < RATION_ALL; i++) {
        struct ration_place *p = &r->places[i];
        if (holds(p, account, mark))
            return true;
        if (p->account && p->until <= now)
            clear(p);
        if (!p->account)
            vacant = p;
        else
            of_account += strcmp(p->account, account) == 0;
    }
    if (!vacant || of_account >= RATION_ACCOUNT)
        return false;
    *vacant = (struct ration_place){mem_strdup(account), mem_strdup(mark), now + RATION_MS};
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
