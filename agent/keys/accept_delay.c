/*
 * The places of accept_delay.h, in no order: there are few of them.
 */
#include "keys/accept_delay.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"

static struct delay_place *place_of(struct delays *all, const char *account, int64_t now)
{
    struct delay_place *oldest = &all->places[0];
    for (size_t i = 0; i < DELAY_PLACES; i++) {
        struct delay_place *p = &all->places[i];
        if (p->account && strcasecmp(p->account, account) == 0) {
            if (now - p->last >= DELAY_FORGET_MS)
                p->wrong = 0;
            return p;
        }
        if (oldest->account && (!p->account || p->last < oldest->last))
            oldest = p;
    }
    free(oldest->account);
    *oldest = (struct delay_place){.account = mem_strdup(account)};
    return oldest;
}

unsigned delay_after(struct delays *all, const char *gateway, const char *account, int64_t now)
{
    struct buf key = {0};
    buf_addf(&key, "%s\n%s", gateway, account);
    struct delay_place *p = place_of(all, buf_cstr(&key), now);
    buf_free(&key);
    p->last = now;
    unsigned ms = DELAY_FIRST_MS;
    for (unsigned i = 0; i < p->wrong && ms < DELAY_MOST_MS; i++)
        ms *= 2;
    p->wrong++;
    return ms < DELAY_MOST_MS ? ms : DELAY_MOST_MS;
}

void delays_free(struct delays *all)
{
    for (size_t i = 0; i < DELAY_PLACES; i++)
        free(all->places[i].account);
    *all = (struct delays){0};
}
