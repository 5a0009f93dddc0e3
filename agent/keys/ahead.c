/*
 * What may begin ahead of a request, and what may be gone on with. Main thread.
 */
#include "keys/ahead.h"

#include "keys/alarm.h"
#include "keys/choose.h"
#include "keys/mutual.h"

bool ahead_wanted(const struct context *c)
{
    return c->q.type == KEYS_AUTHORIZE && c->q.flags & KEYS_AHEAD;
}

/* What the proxy offered last is what it took before, and the guard has nothing against a secret that it took. */
static bool may_begin(const struct context *c)
{
    const struct hop *h = c->hop;
    const struct edition *e = c->e;
    return h->worked[0] && h->worked_generation == e->generation && !e->rereading && e->guard &&
           guard_look(e->guard, c->who->name, SPAN(""), now_ms()) == GUARD_GO && identity_names(c->who, h) &&
           !alarm_rings(c->who, h) && !mutual_required(c);
}

bool ahead_prepare(struct context *c)
{
    const struct hop *h = c->hop;
    const struct edition *e = c->e;
    const struct bundle *b = e->bundle;
    bool kerberos = b && b->full;
    if (!may_begin(c))
        return false;
    c->scheme = h->worked_scheme;
    c->raw = c->ntlm_only = false;
    if (c->scheme == AUTH_NTLM)
        return e->ntlm && !(kerberos && choose_next(c->who->u, h->offered, 0) == AUTH_NEGOTIATE);
    if (c->scheme != AUTH_NEGOTIATE || kerberos || !b || !b->ntlm_only || h->no_spnego_ntlm_until > now_ms())
        return false;
    c->ntlm_only = true;
    c->raw = h->raw_negotiate;
    return !c->raw || e->ntlm;
}

bool ahead_is_stale(const struct context *c)
{
    struct span site = guard_site(buf_span(&c->q.target));
    return c->e != c->who->current || guard_look(c->e->guard, c->who->name, site, now_ms()) != GUARD_GO ||
           !identity_names(c->who, c->hop) || alarm_rings(c->who, c->hop);
}
