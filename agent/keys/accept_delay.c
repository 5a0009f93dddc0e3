/*
 * Two tables, in no order: they are small. Of the accounts those go first that were wrong least often, so that many names that are tried once do not make
 * one forgotten that is tried a lot.
 */
#include "keys/accept_delay.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"

#define WAITING_PLACES 2048

struct delay_place {
    char *account; /* "gateway LF account"; NULL: free */
    unsigned wrong;
    int64_t last;
};

struct waiting {
    char *account, *network;
    int64_t until;
};

struct delays {
    pthread_mutex_t lock;
    struct delay_place places[DELAY_PLACES];
    struct waiting waiting[WAITING_PLACES];
};

struct delays *delays_new(void)
{
    struct delays *all = mem_zero(sizeof *all);
    pthread_mutex_init(&all->lock, NULL);
    return all;
}

void delays_free(struct delays *all)
{
    for (size_t i = 0; i < DELAY_PLACES; i++)
        free(all->places[i].account);
    for (size_t i = 0; i < WAITING_PLACES; i++) {
        free(all->waiting[i].account);
        free(all->waiting[i].network);
    }
    pthread_mutex_destroy(&all->lock);
    free(all);
}

static bool goes_before(const struct delay_place *a, const struct delay_place *b)
{
    if (!a->account || !b->account)
        return !a->account && b->account;
    return a->wrong != b->wrong ? a->wrong < b->wrong : a->last < b->last;
}

static struct delay_place *place_of(struct delays *all, const char *account, int64_t now)
{
    struct delay_place *least = &all->places[0];
    for (size_t i = 0; i < DELAY_PLACES; i++) {
        struct delay_place *p = &all->places[i];
        if (p->account && now - p->last >= DELAY_FORGET_MS)
            p->wrong = 0;
        if (p->account && strcasecmp(p->account, account) == 0)
            return p;
        if (goes_before(p, least))
            least = p;
    }
    free(least->account);
    *least = (struct delay_place){.account = mem_strdup(account)};
    return least;
}

static char *key_of(const struct attempt *t)
{
    struct buf key = {0};
    buf_addf(&key, "%s\n%s", t->gateway, t->account);
    char *text = span_dup(buf_span(&key));
    buf_free(&key);
    return text;
}

bool delay_allows(struct delays *all, const struct attempt *t)
{
    char *account = key_of(t);
    unsigned pair = 0, of_account = 0, of_network = 0;
    pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < WAITING_PLACES; i++) {
        const struct waiting *w = &all->waiting[i];
        if (!w->account || w->until <= t->now)
            continue;
        bool same = strcasecmp(w->account, account) == 0;
        bool near = *t->network && strcmp(w->network, t->network) == 0;
        of_account += same;
        of_network += near;
        pair += same && near;
    }
    pthread_mutex_unlock(&all->lock);
    free(account);
    return pair < WRONG_OF_PAIR && of_account < WRONG_OF_ACCOUNT && of_network < WRONG_OF_NETWORK;
}

/* In the place of the one that is over first. */
static void note(struct delays *all, char *account, const char *network, int64_t until)
{
    struct waiting *first = &all->waiting[0];
    for (size_t i = 1; i < WAITING_PLACES; i++)
        if (all->waiting[i].until < first->until)
            first = &all->waiting[i];
    free(first->account);
    free(first->network);
    *first = (struct waiting){account, mem_strdup(network), until};
}

unsigned delay_after(struct delays *all, const struct attempt *t)
{
    char *account = key_of(t);
    pthread_mutex_lock(&all->lock);
    struct delay_place *p = place_of(all, account, t->now);
    unsigned ms = DELAY_FIRST_MS;
    for (unsigned i = 0; i < p->wrong && ms < DELAY_MOST_MS; i++)
        ms *= 2;
    if (ms > DELAY_MOST_MS)
        ms = DELAY_MOST_MS;
    p->last = t->now;
    p->wrong++;
    note(all, account, t->network, t->now + ms);
    pthread_mutex_unlock(&all->lock);
    return ms;
}
