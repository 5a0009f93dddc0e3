/*
 * Sentences for the error page, the log and the command line, in one place so that they agree with each other. Main thread.
 */
#include "keys/words.h"

#include <stdlib.h>

#include "base/buf.h"
#include "keys/resident.h"

void words_sentence(struct buf *out, const char *text)
{
    struct span s = span_str(text);
    size_t word = 0;
    if (!s.n)
        return;
    while (word < s.n && ((s.p[word] >= 'a' && s.p[word] <= 'z')))
        word++;
    size_t at = out->n;
    buf_add_span(out, s);
    if (word && (word == s.n || s.p[word] == ' '))
        out->p[at] = (char)(out->p[at] - ('a' - 'A'));
    if (!strchr(".!?", s.p[s.n - 1]))
        buf_add_str(out, ".");
}

static const char *whose(const struct edition *e)
{
    const char *text = identity_text(e);
    return *text ? text : "the user";
}

/* One word to a shell, whatever is in it: O'Brien is a name. */
static void add_quoted(struct buf *out, const char *text)
{
    buf_add_str(out, "'");
    for (; *text; text++)
        buf_addf(out, *text == '\'' ? "'\\%c'" : "%c", *text);
    buf_add_str(out, "'");
}

/* Where the secret of a gateway's user is to be put. */
static void resident_place(const struct edition *e, const char *what, struct buf *remedy)
{
    const struct config_upstream *u = e->who->u;
    const char *user = e->account.qualified;
    char *place = NULL;
    switch (u ? u->secret : SECRET_NONE) {
    case SECRET_KEYRING:
    case SECRET_NT_HASH:
        buf_addf(remedy, "The gateway's administrator stores %s with: exeat login %s --for ", what,
                 e->who->name);
        add_quoted(remedy, user);
        break;
    case SECRET_FILE:
    case SECRET_CREDENTIAL:
        place = provider_place(u->secret_argument, user);
        buf_addf(remedy,
                 "The gateway's administrator puts %s into %s%s; it is read again at the next request.", what,
                 u->secret == SECRET_FILE ? "" : "the systemd credential ", place);
        break;
    case SECRET_COMMAND:
        buf_addf(remedy,
                 "The gateway's administrator corrects what the configured command prints "
                 "for " SECRET_USER_VARIABLE "=%s; it is run again at the next request.",
                 user);
        break;
    default:
        buf_addf(remedy, "Connect to the gateway with a Kerberos ticket that may be handed on (kinit -f).");
    }
    free(place);
}

/* What lets a service act for its users. */
static void delegation_remedy(const struct edition *e, struct buf *remedy)
{
    const struct identity *host = resident_host(e->who);
    const struct bundle *b = host ? host->current->bundle : NULL;
    const char *service = b && b->ticket.principal ? b->ticket.principal : "the keytab's service";
    const struct config_upstream *u = e->who->u;
    const char *spn = u->spn ? u->spn : NULL;
    buf_addf(
        remedy,
        "The directory's administrator lets %s delegate to %s%s. With Samba: samba-tool delegation "
        "add-service "
        "ACCOUNT %s%s, and samba-tool delegation for-any-protocol ACCOUNT on for users who come in without a "
        "ticket.",
        service, spn ? spn : "HTTP/", spn ? "" : u->proxies[0].host, spn ? spn : "HTTP/",
        spn ? "" : u->proxies[0].host);
}

/* What to do about a password that was refused. */
static void secret_remedy(const struct edition *e, struct buf *remedy)
{
    const struct config_upstream *u = e->who->u;
    if (e->who->visitor) {
        buf_add_str(remedy, "Give the program the right user name and password.");
        return;
    }
    if (e->who->resident) {
        resident_place(e, "the right password", remedy);
        return;
    }
    switch (u ? u->secret : SECRET_NONE) {
    case SECRET_KEYRING:
    case SECRET_NT_HASH:
    case SECRET_PROMPT:
        buf_addf(remedy, "Type the right password with: exeat login %s", e->who->name);
        break;
    case SECRET_FILE:
        buf_addf(remedy, "Put the right password into %s; it is read again at the next request.",
                 u->secret_argument);
        break;
    case SECRET_CREDENTIAL:
        buf_addf(remedy, "Correct the systemd credential %s.", u->secret_argument);
        break;
    case SECRET_COMMAND:
        buf_add_str(remedy,
                    "Correct what the configured command prints; it is run again at the next request.");
        break;
    case SECRET_KEYTAB:
        buf_addf(remedy,
                 "Put the account's present key into the keytab %s; it is read again at the next request.",
                 u->secret_argument);
        break;
    case SECRET_NONE:
        buf_add_str(remedy, "Get a new ticket with: kinit");
        break;
    }
}

/* What to do about a ticket of one of a gateway's users that was refused. */
static void ticket_remedy(const struct edition *e, struct buf *remedy)
{
    if (e->bundle && e->bundle->ticket.delegated)
        buf_addf(remedy, "%s gets a new ticket with kinit, and connects to the gateway again.", whose(e));
    else if (e->keytab_print)
        buf_addf(remedy, "Ask the proxy's administrator whether %s may use it.", whose(e));
    else
        secret_remedy(e, remedy);
}

void words_refused(const struct edition *e, const struct guard *g, struct buf *why, struct buf *remedy)
{
    bool ticket = g == e->ticket_guard;
    const char *what = ticket ? "Kerberos ticket" : "password";
    if (g->refused_by)
        buf_addf(why, "%s%s refused the %s of %s. It is not sent again until it changes.",
                 span_starts(span_str(g->refused_by), SPAN("the ")) ? "T" : "The proxy ",
                 g->refused_by + (span_starts(span_str(g->refused_by), SPAN("the ")) ? 1 : 0), what,
                 whose(e));
    else
        buf_addf(
            why,
            "The %s of %s was refused earlier and has not changed since. It is not sent again until it does.",
            what, whose(e));
    if (ticket && e->who->resident)
        ticket_remedy(e, remedy);
    else if (ticket && !e->keytab_print)
        buf_add_str(remedy, "Get a new ticket with: kinit");
    else
        secret_remedy(e, remedy);
}

void words_site_refused(const struct edition *e, bool ticket, const char *proxy, struct buf *why,
                        struct buf *remedy)
{
    buf_addf(why,
             "The proxy %s refused this site to %s, or no longer takes the %s. It has accepted the same "
             "%s before, so other sites are still tried; this one is not for a few minutes.",
             proxy, whose(e), ticket ? "Kerberos ticket" : "password", ticket ? "ticket" : "password");
    if (ticket && e->who->resident) {
        ticket_remedy(e, remedy);
        return;
    }
    if (ticket && !e->keytab_print) {
        buf_add_str(remedy, "If other sites are refused as well, get a new ticket with: kinit");
        return;
    }
    buf_addf(remedy, "If the %s has changed: ", ticket ? "key" : "password");
    size_t at = remedy->n;
    secret_remedy(e, remedy);
    remedy->p[at] = (char)(remedy->p[at] + ('a' - 'A')); /* each begins with a capital letter */
}

void words_downgraded(const struct identity *who, const struct floor_row *strongest,
                      const struct floor_row *alarm, struct buf *why, struct buf *remedy)
{
    if (strcmp(strongest->proxy, alarm->proxy) == 0)
        buf_addf(why, "The proxy %s accepted %s before and now offers only %s", alarm->proxy,
                 floor_words(strongest->level), alarm->offer);
    else
        buf_addf(why, "The proxy %s offers only %s, while %s of the same upstream accepted %s before",
                 alarm->proxy, alarm->offer, strongest->proxy, floor_words(strongest->level));
    buf_add_str(why, ": somebody else may be answering in its place. Its demand is not answered.");
    buf_addf(remedy, "If your administrator says that this is right: exeat accept %s", who->name);
}

void words_basic_in_clear(const struct identity *who, struct buf *why, struct buf *remedy)
{
    buf_addf(why, "%sBasic would send the password itself, in clear text.", why->n ? " " : "");
    buf_addf(remedy,
             "%sFor Basic, reach the proxy by TLS (proxy = https://HOST:PORT), or set basic-in-clear = yes "
             "in [upstream %s] if you accept that everybody on the way can read the password.",
             remedy->n ? " " : "", who->name);
}

void words_unproved(const struct edition *e, const char *proxy, const char *reason, struct buf *why,
                    struct buf *remedy)
{
    const char *name = e->who->name;
    if (reason) {
        buf_addf(why,
                 "The proxy %s sent a proof of who it is that is wrong (%s). Its answer was thrown away.",
                 proxy, reason);
        buf_addf(remedy,
                 "Somebody else may be answering in its place: ask your administrator. mutual = off for "
                 "upstream %s "
                 "goes on without a proof.",
                 name);
        return;
    }
    buf_addf(
        why,
        "The proxy %s cannot prove who it is: it accepted the Kerberos ticket of %s and sent no proof of its "
        "own in return, and the configuration says mutual = require.",
        proxy, whose(e));
    buf_addf(remedy,
             "Many proxies never send one (Squid is one of them). If you trust the way to this one, set "
             "mutual = try "
             "for upstream %s.",
             name);
}

static void keytab_remedy(const struct edition *e, bool kerberos, struct buf *remedy)
{
    const struct config_upstream *u = e->who->u;
    if (!kerberos)
        buf_addf(remedy,
                 "A keytab answers Negotiate with Kerberos alone. For other schemes upstream %s needs a "
                 "password: set secret = keyring, prompt or file:PATH.",
                 e->who->name);
    else if (e->ticket_result == TICKET_NONE || e->ticket_result == TICKET_WRONG_KEY)
        buf_addf(remedy,
                 "Correct the keytab %s (klist -k shows whose keys it has); it is read again at the next "
                 "request.",
                 u->secret_argument);
}

static void resident_remedy(const struct edition *e, bool kerberos, struct buf *remedy)
{
    const struct config_upstream *u = e->who->u;
    bool sees_tickets = kerberos && u->secret != SECRET_KEYTAB;
    if (u->secret == SECRET_KEYTAB && kerberos) {
        if (e->not_allowed)
            delegation_remedy(e, remedy);
        return;
    }
    if (!secret_tells_users(u->secret, u->secret_argument) && u->secret != SECRET_NONE)
        buf_addf(remedy,
                 "For a password of each user, set secret = keyring, file:PATH with %s in it, or "
                 "command:COMMAND with "
                 "$%s for upstream %s.",
                 SECRET_USER, SECRET_USER_VARIABLE, e->who->name);
    else
        resident_place(e, "the password", remedy);
    if (sees_tickets && u->secret != SECRET_NONE)
        buf_add_str(remedy,
                    " Or connect to the gateway with a Kerberos ticket that may be handed on (kinit -f).");
}

void words_unavailable_remedy(const struct edition *e, bool kerberos, struct buf *remedy)
{
    const struct config_upstream *u = e->who->u;
    const char *name = e->who->name;
    if (!u)
        return;
    if (e->who->visitor) {
        if (kerberos && u->kerberos == KERBEROS_FIND)
            buf_addf(remedy,
                     "Set kerberos = acquire for upstream %s, so that exeat gets a ticket with the program's "
                     "password.",
                     name);
        return;
    }
    if (e->who->resident) {
        resident_remedy(e, kerberos, remedy);
        return;
    }
    if (secret_source_is_keyring(u->secret) && e->secret_kind == PROVIDED_NOWHERE)
        buf_addf(
            remedy,
            "Without a keyring, set secret = prompt (then: exeat login %s), secret = file:PATH or secret = "
            "command:COMMAND for upstream %s%s.",
            name, name, kerberos ? ", or run kinit" : "");
    else if (secret_source_is_keyring(u->secret) && e->secret_kind == PROVIDED_LOCKED)
        buf_add_str(remedy, "Unlock the keyring (log in to the desktop, or use its password manager).");
    else if (u->secret == SECRET_KEYTAB)
        keytab_remedy(e, kerberos, remedy);
    else if (kerberos && e->guard && u->kerberos == KERBEROS_FIND && e->ticket_result == TICKET_NONE)
        buf_addf(
            remedy,
            "Run kinit, or set kerberos = acquire for upstream %s, so that exeat gets the ticket with the "
            "password.",
            name);
    else if (e->account.form == ACCOUNT_NONE && e->guard)
        buf_addf(remedy, "Set user = for upstream %s.", name);
    else if (secret_source_is_keyring(u->secret) || u->secret == SECRET_PROMPT)
        buf_addf(remedy,
                 kerberos ? "Run kinit, or type the password with: exeat login %s"
                          : "Type the password with: exeat login %s",
                 name);
    else if (kerberos)
        buf_add_str(remedy, "Run kinit.");
}
