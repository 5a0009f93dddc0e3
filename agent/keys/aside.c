/*
 * When an aside may be made, and what is learned from how it went. Main thread.
 */
#include "keys/aside.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"

#define CLOSES_MS (10 * 60 * 1000) /* no asides at a proxy that closes the connection after one */
#define IN_VAIN_MS                                                                                           \
    (60 * 1000) /* none for a site, and after a second one at all, where the request was asked all the same */
#define LOST_MS 5000 /* none after a connection that was lost: the client's doing as often as the proxy's */

static void none_for(struct hop *h, int64_t ms)
{
    int64_t until = now_ms() + ms;
    if (h->no_asides_until < until)
        h->no_asides_until = until;
}

static bool in_vain_before(const struct hop *h, struct span site)
{
    return h->in_vain_until > now_ms() && span_eq(span_str(h->in_vain_site), site);
}

enum guard_say aside_begin(struct context *c, struct guard *g, struct span site)
{
    if (c->hop->no_asides_until > now_ms() || in_vain_before(c->hop, site))
        return GUARD_WAIT;
    enum guard_say say =
        guard_begin(g, c->who->name, SPAN(KEYS_ASIDE_HOST), GUARD_ASIDE, now_ms(), &c->attempt);
    c->aside = say == GUARD_GO;
    return say == GUARD_SITE ? GUARD_WAIT
                             : say; /* the proxy takes no asides: that is not about this request's site */
}

void aside_accepted(struct context *c, bool closed)
{
    c->aside = false;
    c->let_in_aside = true;
    if (!closed)
        return;
    log_debug(NULL, "upstream %s, %s: closes the connection after an aside; no more of them for a while",
              c->who->name, c->hop->text);
    none_for(c->hop, CLOSES_MS);
}

void aside_in_vain(struct context *c, struct span site)
{
    struct hop *h = c->hop;
    bool another = h->in_vain_until > now_ms() && !span_eq(span_str(h->in_vain_site), site);
    if (another)
        none_for(h, IN_VAIN_MS);
    free(h->in_vain_site);
    h->in_vain_site = span_dup(site);
    h->in_vain_until = now_ms() + IN_VAIN_MS;
}

void aside_lost(struct context *c)
{
    c->aside = false;
    none_for(c->hop, LOST_MS);
}
