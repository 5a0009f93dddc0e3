/*
 * What an examination found, step by step. A table of steps, each a function that writes one line. What is not needed for the way in that
 * was found is a note at most: somebody who signs in by NTLM does not miss a Kerberos server. Main thread.
 */
#include "keys/findings.h"

#include <stdlib.h>
#include <time.h>

#include "keys/choose.h"
#include "keys/ntlm_check.h"
#include "keys/ntlm_target.h"
#include "keys/scheme.h"
#include "keys/words.h"

#define SKEW_MOST 300 /* seconds: what Kerberos bears by default (RFC 4120 section 8.2) */
#define SKEW_NOTE 60

struct finding {
    const char *mark;
    struct buf evidence, remedy;
    const struct way_in *way;
};

/* Something is missing or wrong: that counts where there is no other way in. */
static void miss(struct finding *f, const char *mark)
{
    f->mark = f->way->scheme == AUTH_SCHEMES ? mark : KEYS_FOUND_NOTE;
}

static void add_clean(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        buf_addf(out, "%c", c < 0x20 || c == 0x7f ? ' ' : c);
    }
}

void finding_add(struct buf *out, const char *step, const char *mark, struct span evidence,
                 struct span remedy)
{
    buf_addf(out, "%s\t%s\t", step, mark);
    add_clean(out, evidence);
    buf_add_str(out, "\t");
    add_clean(out, remedy);
    buf_add_str(out, "\n");
}

static void skip(struct finding *f, const char *why)
{
    f->mark = KEYS_FOUND_SKIP;
    buf_add_str(&f->evidence, why);
}

/* --- the secret --- */

/* Where nothing better is known: the place that the password is expected in. */
static void add_place(const struct edition *e, struct buf *remedy)
{
    const struct config_upstream *u = e->who->u;
    if (remedy->n)
        return;
    if (u->secret == SECRET_FILE)
        buf_addf(remedy, "Put the password into the first line of %s, for this user to read.",
                 u->secret_argument);
    else if (u->secret == SECRET_CREDENTIAL)
        buf_addf(remedy, "Give the service a credential of that name: LoadCredential=%s:PATH.",
                 u->secret_argument);
    else if (u->secret == SECRET_COMMAND)
        buf_add_str(remedy, "Correct the command: it must print the password as its first line.");
    else
        buf_addf(remedy, "Type the password with: exeat login %s", e->who->name);
}

static void keyring(const struct examination *x, struct finding *f)
{
    const struct edition *e = x->e;
    if (!secret_source_is_keyring(e->who->u->secret)) {
        buf_addf(&f->evidence, "not used (secret = %s)", secret_source_name(e->who->u->secret));
        f->mark = KEYS_FOUND_SKIP;
    } else if (e->secret_state == PART_READY) {
        buf_addf(&f->evidence, "it is unlocked and has a password for %s", e->who->name);
    } else if (e->secret_state == PART_RUNNING) {
        miss(f, KEYS_FOUND_BAD);
        buf_add_str(&f->evidence, "it does not answer"); /* for as long as examine.c has waited for it */
        buf_add_str(&f->remedy, "Look for a window that asks to unlock it.");
    } else {
        miss(f, KEYS_FOUND_BAD);
        buf_add_str(&f->evidence, e->secret_why.text);
        words_unavailable_remedy(e, false, &f->remedy);
        add_place(e, &f->remedy);
    }
}

static void secret(const struct examination *x, struct finding *f)
{
    const struct edition *e = x->e;
    enum secret_source source = e->who->u->secret;
    const struct guard *refused = way_in_refused(e);
    if (refused && refused == e->guard) {
        miss(f, KEYS_FOUND_REFUSED);
        words_refused(e, refused, &f->evidence, &f->remedy);
    } else if (source == SECRET_NONE || source == SECRET_KEYTAB) {
        buf_addf(&f->evidence, "no password is used (secret = %s)", secret_source_name(source));
        f->mark = KEYS_FOUND_SKIP;
    } else if (e->secret_state == PART_READY) {
        bool proven = e->guard && guard_is_proven(e->guard, e->who->name);
        buf_addf(&f->evidence, "there is one, from %s; %s", secret_source_name(source),
                 proven ? "the proxy has taken it" : "no proxy has taken or refused it yet");
    } else if (source == SECRET_COMMAND && e->secret_state == PART_UNKNOWN) {
        skip(f, "a command prints it, which a diagnosis does not run");
        f->mark = KEYS_FOUND_NOTE;
    } else {
        miss(f, KEYS_FOUND_BAD);
        buf_add_str(&f->evidence,
                    e->secret_state == PART_RUNNING ? "it has not come yet" : e->secret_why.text);
        words_unavailable_remedy(e, false, &f->remedy);
        add_place(e, &f->remedy);
    }
}

static void principal(const struct examination *x, struct finding *f)
{
    const char *text = identity_text(x->e);
    if (*text) {
        buf_addf(&f->evidence, "%s", text);
        return;
    }
    miss(f, KEYS_FOUND_BAD);
    buf_add_str(&f->evidence, "nobody: there is neither a user in the configuration nor a Kerberos ticket");
    buf_addf(&f->remedy, "Set user = in [upstream %s], or run kinit.", x->e->who->name);
}

/* --- Kerberos --- */

static bool kerberos_is_out(const struct examination *x, struct finding *f)
{
    if (!choose_allows(x->e->who->u, AUTH_NEGOTIATE))
        skip(f, "Negotiate is not named in auth =");
    else if (x->offer_known && !choose_challenge(&x->offer, AUTH_NEGOTIATE))
        skip(f, "the proxy does not offer Negotiate");
    else
        return false;
    return true;
}

static void late(const struct examination *x, struct finding *f)
{
    miss(f, KEYS_FOUND_UNREACHABLE);
    buf_addf(&f->evidence, "no Kerberos server answered within %u seconds", x->seconds);
    buf_add_str(&f->remedy, "Check the network and the VPN; krb5.conf says which servers are asked.");
}

static void kdc(const struct examination *x, struct finding *f)
{
    const struct kdc_findings *k = &x->kdc;
    if (kerberos_is_out(x, f))
        return;
    if (k->clock == ASKED_NOT) {
        skip(f, "nobody is known whose realm could be asked");
    } else if (k->clock == ASKED_WAITING) {
        late(x, f);
    } else if (k->clock_result == TICKET_OK && k->time.knows) {
        buf_addf(&f->evidence, "a Kerberos server of %s answers", k->time.realm);
    } else if (k->clock_result == TICKET_OK) {
        miss(f, KEYS_FOUND_BAD);
        buf_addf(&f->evidence, "the Kerberos server of %s does not know %s", k->time.realm,
                 identity_text(x->e));
        buf_addf(&f->remedy, "Write user = NAME@REALM in [upstream %s] as the directory has it.",
                 x->e->who->name);
    } else {
        bool nowhere = k->clock_result != TICKET_UNREACHABLE;
        f->mark = KEYS_FOUND_NOTE;
        if (!nowhere)
            miss(f, KEYS_FOUND_UNREACHABLE);
        buf_add_str(&f->evidence, k->clock_why.text);
        buf_add_str(&f->remedy,
                    nowhere ? ""
                            : "Check the network and the VPN, and that krb5.conf or the DNS names the "
                              "servers of this realm.");
    }
}

static void describe_skew(struct finding *f, int64_t offset, const char *whose)
{
    int64_t size = offset < 0 ? -offset : offset;
    buf_addf(&f->evidence, "this computer's clock is %lld second%s %s %s", (long long)size,
             size == 1 ? "" : "s", offset > 0 ? "behind" : "ahead of", whose);
    if (size > SKEW_MOST) {
        f->mark = KEYS_FOUND_BAD;
        buf_addf(&f->remedy, "Set the clock, for instance with: timedatectl set-ntp true");
    } else if (size > SKEW_NOTE) {
        f->mark = KEYS_FOUND_NOTE;
    }
}

static void kdc_clock(const struct examination *x, struct finding *f)
{
    if (kerberos_is_out(x, f))
        return;
    if (x->kdc.clock == ASKED_ANSWERED && x->kdc.clock_result == TICKET_OK && x->kdc.time.told)
        describe_skew(f, x->kdc.time.offset, "the Kerberos server's");
    else
        skip(f, "no Kerberos server said what time it is");
}

static void add_moment(struct buf *out, const char *before, time_t when)
{
    struct tm tm;
    char text[32];
    long minutes = (long)((when - time(NULL)) / 60);
    if (localtime_r(&when, &tm) && strftime(text, sizeof text, "%Y-%m-%d %H:%M", &tm))
        buf_addf(out, "%s%s (%ld h %ld min)", before, text, minutes / 60, minutes % 60);
}

static void ticket(const struct examination *x, struct finding *f)
{
    const struct edition *e = x->e;
    const struct ticket *t = e->bundle ? &e->bundle->ticket : NULL;
    const struct guard *refused = way_in_refused(e);
    if (kerberos_is_out(x, f))
        return;
    if (refused && refused == e->ticket_guard) {
        miss(f, KEYS_FOUND_REFUSED);
        words_refused(e, refused, &f->evidence, &f->remedy);
    } else if (t && t->cache && ticket_lasts(t, time(NULL))) {
        buf_addf(&f->evidence, "%s", t->principal);
        add_moment(&f->evidence, ", until ", t->until);
        if (t->renew_until > t->until)
            add_moment(&f->evidence, ", can be renewed until ", t->renew_until);
    } else if (e->who->u->kerberos == KERBEROS_ACQUIRE && x->e->negotiate_state != PART_FAILED) {
        f->mark = KEYS_FOUND_NOTE;
        buf_add_str(&f->evidence, "none yet: it is got with the password when it is needed");
    } else if (e->who->u->secret == SECRET_KEYTAB && e->keytab_print && e->negotiate_state != PART_FAILED) {
        f->mark = KEYS_FOUND_NOTE;
        buf_add_str(&f->evidence, "none yet: it is got with the keytab when it is needed");
    } else {
        miss(f, KEYS_FOUND_BAD);
        buf_add_str(&f->evidence, *e->negotiate_why.text ? e->negotiate_why.text : "there is none");
        words_unavailable_remedy(e, true, &f->remedy);
        if (!f->remedy.n)
            buf_add_str(&f->remedy, "Get a ticket with: kinit");
    }
}

static void spn(const struct examination *x, struct finding *f)
{
    const struct kdc_findings *k = &x->kdc;
    const char *name = x->e->who->name;
    if (kerberos_is_out(x, f))
        return;
    if (k->service == ASKED_NOT) {
        skip(f, "there is no ticket to ask with");
    } else if (k->service == ASKED_WAITING) {
        late(x, f);
    } else if (k->service_result == TICKET_OK) {
        /* Without the "@" of a realm that the KDC was to find out. */
        struct span who = span_str(k->service_name);
        buf_addf(&f->evidence, "the Kerberos server gave a ticket for %.*s",
                 SPAN_ARG(span_head(who, who.n - span_ends(who, SPAN("@")))));
    } else {
        miss(f, KEYS_FOUND_BAD);
        buf_add_str(&f->evidence, k->service_why.text);
        if (k->service_result == TICKET_UNKNOWN_SERVICE)
            buf_addf(&f->remedy,
                     "Ask your administrator for the proxy's service name and set spn = HTTP/NAME in "
                     "[upstream %s]; often it is the proxy's full host name.",
                     name);
        else if (k->service_result == TICKET_CLOCK_SKEW)
            buf_add_str(&f->remedy, "Set the clock, for instance with: timedatectl set-ntp true");
        else
            buf_add_str(&f->remedy, "Check the network and the VPN; krb5.conf says which servers are asked.");
    }
}

/* --- the choice --- */

static void explain_others(const struct examination *x, const struct way_in *way, struct buf *out)
{
    bool passed = false;
    for (unsigned s = 0; s < AUTH_SCHEMES; s++) {
        const char *why;
        passed = passed || s == way->scheme;
        if (s == way->scheme)
            continue;
        bool usable = way_in_usable(x, (enum auth_scheme)s, &why);
        buf_addf(out, "; not %s: %s", schemes[s].name, usable ? "it comes later in auth =" : why);
    }
}

static void no_scheme_remedy(const struct examination *x, struct buf *evidence, struct buf *remedy)
{
    const struct identity *who = x->e->who;
    unsigned offered = choose_offered(&x->offer), taken = 0;
    unsigned allowed = choose_allowed(who->u, span_str(x->h->host), x->h->port);
    const struct guard *refused = way_in_refused(x->e);
    for (size_t i = 0; i < who->u->n_auth; i++)
        taken |= offered & SCHEME_BIT(who->u->auth[i]);
    if (!offered)
        buf_add_str(remedy,
                    "exeat answers Negotiate, NTLM, Digest and Basic: ask your administrator which of "
                    "them the proxy can offer.");
    else if (!(offered & allowed) &&
             choose_holds_back_basic(who->u, offered, span_str(x->h->host), x->h->port))
        words_basic_in_clear(who, evidence, remedy);
    else if (!taken)
        buf_addf(remedy, "Name one that the proxy offers in auth = of [upstream %s].", who->name);
    else if (refused)
        words_refused(x->e, refused, &(struct buf){.max = 1}, remedy);
    else
        words_unavailable_remedy(x->e, taken & SCHEME_BIT(AUTH_NEGOTIATE), remedy);
    if (!remedy->n)
        buf_add_str(remedy, "Mend what is marked above.");
}

static void scheme(const struct examination *x, struct finding *f)
{
    const struct identity *who = x->e->who;
    const struct floor_row *strongest = floors_find(&who->k->floors, FLOOR_STRONGEST, who->name, x->h->text);
    struct buf offer = {0};
    choose_describe(&x->offer, &offer);
    if (!x->offer_known) {
        skip(f, "the proxy has not asked who we are");
    } else if (f->way->alarm && strongest) {
        f->mark = KEYS_FOUND_BAD;
        buf_addf(&f->evidence,
                 "the proxy accepted %s before and now offers only %s: somebody else may be answering in "
                 "its place, so its demand is not answered",
                 floor_words(strongest->level), buf_cstr(&offer));
        buf_addf(&f->remedy, "If your administrator says that this is right: exeat accept %s", who->name);
    } else if (f->way->scheme == AUTH_SCHEMES) {
        f->mark = KEYS_FOUND_BAD;
        buf_addf(&f->evidence, "none: the proxy offers %s", offer.n ? buf_cstr(&offer) : "nothing");
        explain_others(x, f->way, &f->evidence);
        no_scheme_remedy(x, &f->evidence, &f->remedy);
    } else {
        buf_addf(&f->evidence, "%s: the first in auth = that can be used", way_in_name(f->way));
        explain_others(x, f->way, &f->evidence);
    }
    buf_free(&offer);
}

/* What one request would spend. */
static void attempt(const struct examination *x, struct finding *f)
{
    const struct edition *e = x->e;
    bool proven = e->guard && guard_is_proven(e->guard, e->who->name);
    bool has = e->bundle && e->bundle->ticket.cache;
    if (f->way->scheme == AUTH_SCHEMES) {
        f->mark = KEYS_FOUND_BAD;
        buf_add_str(&f->evidence, "there is nothing to sign in with");
    } else if (f->way->ticket && (has || e->who->u->secret == SECRET_KEYTAB)) {
        buf_add_str(&f->evidence, "a Kerberos ticket: no password is shown");
    } else if (proven) {
        buf_add_str(&f->evidence, "a password that the proxy has taken before");
    } else {
        f->mark = KEYS_FOUND_NOTE;
        buf_add_str(&f->evidence, "the password has not been taken by this proxy yet");
    }
}

static const struct {
    const char *name;
    void (*write)(const struct examination *x, struct finding *f);
} steps[] = {
    {"keyring", keyring}, {"password", secret},     {"principal", principal},
    {"kdc", kdc},         {"kdc-clock", kdc_clock}, {"ticket", ticket},
    {"spn", spn},         {"scheme", scheme},       {"attempt", attempt},
};

void findings_write(const struct examination *x, struct buf *out)
{
    struct way_in way;
    way_in_find(x, &way);
    bool none = x->e->who->u->n_auth == 0;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct finding f = {.mark = KEYS_FOUND_OK, .way = &way};
        if (none)
            skip(&f, "no authentication is configured (auth = none)");
        else
            steps[i].write(x, &f);
        finding_add(out, steps[i].name, f.mark, buf_span(&f.evidence), buf_span(&f.remedy));
        buf_free(&f.evidence);
        buf_free(&f.remedy);
    }
}

void findings_of_challenge(struct span message, struct buf *out)
{
    const char *why;
    struct finding f = {.mark = KEYS_FOUND_OK};
    struct ntlm_target t;
    if (!ntlm_check_challenge(message, &why)) {
        f.mark = KEYS_FOUND_BAD;
        buf_addf(&f.evidence, "the proxy's NTLM challenge %s", why);
        buf_add_str(&f.remedy, "Ask your administrator: what the proxy sends is no NTLM.");
    } else {
        ntlm_target_read(&t, message);
        buf_addf(&f.evidence, "domain %s, server %s", t.domain.n ? buf_cstr(&t.domain) : "(not named)",
                 t.server.n ? buf_cstr(&t.server) : "(not named)");
        if (t.timed) {
            buf_add_str(&f.evidence, "; ");
            describe_skew(&f, t.time - (int64_t)time(NULL), "that server's");
        }
        ntlm_target_free(&t);
    }
    finding_add(out, "ntlm", f.mark, buf_span(&f.evidence), buf_span(&f.remedy));
    buf_free(&f.evidence);
    buf_free(&f.remedy);
}
