/*
 * Which scheme an examination finds to be the one that a request would use, and why not the others: the same rules as choose.h has, with what is at
 * hand at this moment. Nothing is begun. Main thread.
 */
#include "keys/alarm.h"
#include "keys/choose.h"
#include "keys/findings.h"

#include <time.h>

static bool is_frozen(const struct edition *e, const struct guard *g)
{
    return g && guard_look(g, e->who->name, SPAN(""), now_ms()) == GUARD_FROZEN;
}

const struct guard *way_in_refused(const struct edition *e)
{
    return is_frozen(e, e->guard) ? e->guard : is_frozen(e, e->ticket_guard) ? e->ticket_guard : NULL;
}

/* A password is there, or a command that would print one. */
static bool has_password(const struct edition *e)
{
    bool command = e->who->u->secret == SECRET_COMMAND && e->secret_state == PART_UNKNOWN;
    return (e->secret_state == PART_READY || command) && !is_frozen(e, e->guard);
}

static bool has_ticket(const struct examination *x)
{
    const struct edition *e = x->e;
    return e->bundle && e->bundle->ticket.cache && ticket_lasts(&e->bundle->ticket, time(NULL)) &&
           !is_frozen(e, e->ticket_guard);
}

static bool can_get_ticket(const struct examination *x)
{
    const struct edition *e = x->e;
    if (e->who->u->secret == SECRET_KEYTAB)
        return e->keytab_print && !is_frozen(e, e->ticket_guard) && e->negotiate_state != PART_FAILED;
    return e->who->u->kerberos == KERBEROS_ACQUIRE && has_password(e) && e->negotiate_state != PART_FAILED;
}

static bool kerberos_works(const struct examination *x)
{
    bool refused = x->kdc.service == ASKED_WAITING ||
                   (x->kdc.service == ASKED_ANSWERED && x->kdc.service_result != TICKET_OK);
    return !refused && (has_ticket(x) || can_get_ticket(x));
}

static bool no_password(const struct edition *e, const char **why)
{
    *why = is_frozen(e, e->guard) ? "the password was refused" : "there is no password for it";
    return false;
}

bool way_in_usable(const struct examination *x, enum auth_scheme scheme, const char **why)
{
    const struct edition *e = x->e;
    const struct config_upstream *u = e->who->u;
    unsigned allowed = choose_allowed(u, span_str(x->h->host), x->h->port);
    *why = "";
    if (!choose_allows(u, scheme))
        *why = "not named in auth =";
    else if (!(allowed & SCHEME_BIT(scheme)))
        *why = "it would send the password in clear text";
    else if (x->offer_known && !choose_challenge(&x->offer, scheme))
        *why = "the proxy does not offer it";
    if (**why)
        return false;
    if (scheme == AUTH_NEGOTIATE && kerberos_works(x))
        return true;
    if (scheme == AUTH_NEGOTIATE && (!choose_allows(u, AUTH_NTLM) || u->mutual == MUTUAL_REQUIRE)) {
        *why = is_frozen(e, e->ticket_guard) ? "the Kerberos ticket was refused"
               : has_ticket(x)               ? "there is no ticket for the proxy" /* that of its service */
                                             : "there is no Kerberos ticket for it";
        return false;
    }
    if (!has_password(e))
        return no_password(e, why);
    if ((scheme == AUTH_NTLM || scheme == AUTH_NEGOTIATE) && e->secret_state == PART_READY && !e->ntlm) {
        *why = e->ntlm_why.text;
        return false;
    }
    return true;
}

void way_in_find(const struct examination *x, struct way_in *way)
{
    const struct config_upstream *u = x->e->who->u;
    const char *why;
    *way = (struct way_in){.scheme = AUTH_SCHEMES};
    way->alarm = x->offer_known ? alarm_would_ring(x->e->who, x->h, choose_offered(&x->offer),
                                                   choose_digest_level(&x->offer))
                                : alarm_pending(x->e->who) != NULL;
    for (size_t i = 0; i < u->n_auth && way->scheme == AUTH_SCHEMES && !way->alarm; i++)
        if (way_in_usable(x, u->auth[i], &why))
            way->scheme = u->auth[i];
    way->ticket = way->scheme == AUTH_NEGOTIATE && kerberos_works(x);
}

const char *way_in_name(const struct way_in *way)
{
    static const char *const names[AUTH_SCHEMES + 1] = {[AUTH_NEGOTIATE] = "Negotiate (NTLM)",
                                                        [AUTH_NTLM] = "NTLM",
                                                        [AUTH_DIGEST] = "Digest",
                                                        [AUTH_BASIC] = "Basic",
                                                        [AUTH_SCHEMES] = ""};
    return way->ticket ? "Negotiate (Kerberos)" : names[way->scheme];
}
