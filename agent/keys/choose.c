/*
 * Pure functions over a parsed challenge list and the configuration. Any thread.
 */
#include "keys/choose.h"

#include "keys/digest.h"
#include "keys/scheme.h"

#define DESCRIBED_MAX 8

const struct challenge *choose_challenge(const struct challenge_list *list, enum auth_scheme scheme)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct challenge *c = &list->items[i];
        if (challenge_is(c, schemes[scheme].name) && (scheme != AUTH_DIGEST || digest_answerable(c)))
            return c;
    }
    return NULL;
}

unsigned choose_offered(const struct challenge_list *list)
{
    unsigned offered = 0;
    for (unsigned s = 0; s < AUTH_SCHEMES; s++)
        if (choose_challenge(list, (enum auth_scheme)s))
            offered |= SCHEME_BIT(s);
    return offered;
}

enum auth_scheme choose_next(const struct config_upstream *u, unsigned offered, unsigned tried)
{
    for (size_t i = 0; i < u->n_auth; i++)
        if (offered & SCHEME_BIT(u->auth[i]) && !(tried & SCHEME_BIT(u->auth[i])))
            return u->auth[i];
    return AUTH_SCHEMES;
}

bool choose_allows(const struct config_upstream *u, enum auth_scheme scheme)
{
    for (size_t i = 0; i < u->n_auth; i++)
        if (u->auth[i] == scheme)
            return true;
    return false;
}

void choose_describe(const struct challenge_list *list, struct buf *out)
{
    for (size_t i = 0; i < list->n && i < DESCRIBED_MAX; i++) {
        bool before = false;
        for (size_t j = 0; j < i; j++)
            before = before || span_ieq(span_str(list->items[j].scheme), span_str(list->items[i].scheme));
        if (!before)
            buf_addf(out, "%s%.40s", out->n ? ", " : "", list->items[i].scheme);
    }
}
