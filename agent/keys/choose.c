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

enum floor_level choose_digest_level(const struct challenge_list *list)
{
    const struct challenge *c = choose_challenge(list, AUTH_DIGEST);
    const char *algorithm = c ? challenge_param(c, "algorithm") : NULL;
    if (!c)
        return FLOOR_NONE;
    return !algorithm || span_istarts(span_str(algorithm), SPAN("MD5")) ? FLOOR_DIGEST : FLOOR_DIGEST_SHA2;
}

/* Where one address is configured both ways, nobody but the agent knows which way it went. */
bool choose_is_private(const struct config_upstream *u, struct span host, uint32_t port)
{
    bool found = false;
    for (size_t i = 0; i < u->n_proxies; i++) {
        const struct config_proxy *p = &u->proxies[i];
        if (p->port != port || !span_ieq(span_str(p->host), host))
            continue;
        if (!config_proxy_is_private(p))
            return false;
        found = true;
    }
    return found;
}

unsigned choose_allowed(const struct config_upstream *u, struct span host, uint32_t port)
{
    unsigned allowed = 0;
    for (size_t i = 0; i < u->n_auth; i++)
        allowed |= SCHEME_BIT(u->auth[i]);
    if (!u->basic_in_clear && !choose_is_private(u, host, port))
        allowed &= ~SCHEME_BIT(AUTH_BASIC);
    return allowed;
}

bool choose_holds_back_basic(const struct config_upstream *u, unsigned offered, struct span host,
                             uint32_t port)
{
    return offered & SCHEME_BIT(AUTH_BASIC) && u->n_auth && !u->basic_in_clear &&
           !choose_is_private(u, host, port);
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
