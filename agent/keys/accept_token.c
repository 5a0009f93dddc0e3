/*
 * NTLM and Negotiate for clients of ours. The bytes are checked before a library sees them (accept_check.h). Whose hash an NTLM answer is compared with is
 * decided here: gss-ntlmssp gets a file with that one account, which exists in memory alone and for that one call; so it needs no file of its own, knows
 * each gateway's users, and takes as long for a user who is not there. Worker threads.
 */
#include "keys/accept_speak.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/log.h"
#include "keys/accept_check.h"
#include "keys/accept_evidence.h"
#include "keys/accept_mend.h"
#include "keys/accept_mic.h"
#include "keys/inbound.h"
#include "keys/nthash.h"
#include "keys/ntlm_target.h"
#include "keys/winbind.h"

#define LEGS_MOST 8    /* of one handshake: real ones have two or three */
#define NAME_MOST 256  /* bytes: gss-ntlmssp reads lines of 1024 */
#define FILE_MOST 1024 /* bytes of an account's line */

static const char *const names[AUTH_SCHEMES] = {[AUTH_NEGOTIATE] = "Negotiate", [AUTH_NTLM] = "NTLM"};

struct account_file {
    int fd;
    char path[32];
};

/* Whom an answer to a challenge is from: true of the token that says so alone, for the next one may say something else. */
struct claimant {
    char *tried;   /* as wrong passwords are counted; NULL: it is no such token */
    char *account; /* whose hash it is compared with; NULL: nobody's */
    struct account_file file;
};

/* Name and hash in the form of smbpasswd. Its LM hash is none, in upper-case letters as its NT hash. */
static bool make_file(struct account_file *f, struct span domain, struct span user, struct span hash)
{
    struct secret line = {0};
    bool good = true;
    f->fd = memfd_create("account", MFD_CLOEXEC);
    secret_set(&line, domain);
    if (domain.n)
        secret_add(&line, SPAN("\\"));
    secret_add(&line, user);
    secret_add(&line, SPAN(":0:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:"));
    for (size_t i = 0; i < hash.n; i++) {
        char c = hash.p[i] >= 'a' && hash.p[i] <= 'f' ? (char)(hash.p[i] & ~32) : hash.p[i];
        secret_add(&line, span_make(&c, 1));
    }
    secret_add(&line, SPAN(":[U          ]:LCT-00000000:\n"));
    struct span bytes = secret_reveal(&line);
    good = f->fd >= 0 && write(f->fd, bytes.p, bytes.n) == (ssize_t)bytes.n;
    secret_free(&line);
    snprintf(f->path, sizeof f->path, "/proc/self/fd/%d", f->fd);
    return good;
}

static void drop_file(struct account_file *f)
{
    if (f->fd < 0)
        return;
    static const char nothing[FILE_MOST];
    ssize_t wiped = pwrite(f->fd, nothing, sizeof nothing, 0);
    (void)wiped; /* the pages are gone in a moment */
    close(f->fd);
}

/* Of the form that gss-ntlmssp can find: a colon or backslash in a name would be read as something else, and no account has one. */
static bool can_stand(struct span name)
{
    return name.n <= NAME_MOST && span_find(name, ':') == name.n && span_find(name, '\\') == name.n;
}

/* The message is in memory of ours (accept_token). */
static void move_mic(const struct accept_handshake *h, const struct accept_token *token, struct span hash,
                     const unsigned char *key)
{
    const struct accept_mic mic = {.asked = buf_span(&h->asked),
                                   .mended = buf_span(&h->mended),
                                   .challenge = buf_span(&h->challenge),
                                   .hash = hash,
                                   .key = key,
                                   .oem = token->oem};
    accept_mic_move((char *)(unsigned long)token->ntlm.p, token->ntlm.n, &mic);
}

/* true: nobody has that password. */
static bool refuse(enum auth_scheme scheme, const struct accept_token *token, enum gss_entry_outcome outcome,
                   const struct err *e, struct accept_answer *a)
{
    if (outcome != GSS_ENTRY_UNSAID || !token->last) {
        accept_say(a, KEYS_REFUSED, "%s: %s", names[scheme], e->text);
        return token->last;
    }
    if (winbind_works()) {
        accept_say(a, KEYS_REFUSED, "%s: the domain refuses the user or the password", names[scheme]);
        return true;
    }
    accept_say(a, KEYS_UNAVAILABLE, "the domain cannot be asked about passwords: winbind does not answer");
    buf_clear(&a->remedy);
    buf_add_str(&a->remedy, "try wbinfo -t as the user who runs exeat; winbindd has to run on a machine that "
                            "has joined the domain, and that user has to be in the group winbindd_priv");
    return false;
}

/* The domain has the hash, so it is asked for the key: before gss-ntlmssp asks, who looks at the code with it and keeps it to itself. What is wrong here is
   not asked about again, for the domain counts. */
static bool move_mic_by_domain(const struct accept_question *q, const struct accept_token *token,
                               const char *domain, const char *user, const char *tried,
                               struct accept_answer *a)
{
    const struct accept_handshake *h = q->handshake;
    unsigned char key[WINBIND_KEY];
    struct winbind_proof proof = {domain, user, accept_mic_challenge(buf_span(&h->challenge)), {0}};
    if (!h->asked.n || !accept_mic_is_there(token->ntlm, &proof.answer))
        return true;
    bool good = winbind_session_key(&proof, key);
    if (good)
        move_mic(h, token, SPAN(""), key);
    else if (refuse(h->scheme, token, GSS_ENTRY_UNSAID, NULL, a))
        accept_was_wrong(q, a, tried);
    secret_wipe(key, sizeof key);
    return good;
}

static void name_text(struct buf *out, struct span name, bool oem)
{
    if (oem)
        buf_add_span(out, name); /* ASCII */
    else
        ntlm_target_text(out, name);
}

/* The account in the file of users, or one with a hash of nobody's. */
static bool find_account(const struct accept_question *q, const struct users *users,
                         const struct accept_token *token, struct span domain, struct span user,
                         struct claimant *from)
{
    char nobody[NT_HASH_DIGITS];
    unsigned char random[NT_HASH_DIGITS];
    struct span name;
    if (RAND_bytes(random, sizeof random) != 1)
        return false;
    for (size_t i = 0; i < sizeof nobody; i++)
        nobody[i] = "0123456789ABCDEF"[random[i] & 15];
    struct span hash = users_find_nt(users, domain, user, q->gate->domain, &name);
    from->account = hash.n ? accept_identity(q->gate, name) : NULL;
    if (hash.n && q->handshake->asked.n)
        move_mic(q->handshake, token, hash, NULL);
    return make_file(&from->file, domain, user, hash.n ? hash : span_make(nobody, sizeof nobody));
}

static bool prepare_names(const struct accept_question *q, const struct users *users,
                          const struct accept_token *token, struct buf *domain, struct buf *user,
                          struct claimant *from, struct accept_answer *a)
{
    struct span d = buf_span(domain), u = buf_span(user);
    a->identity = accept_identity(q->gate, u);
    from->tried = users_account(d, u, q->gate->domain);
    if (!accept_may_try(q, a, q->handshake->scheme, from->tried))
        return false;
    bool good = can_stand(d) && can_stand(u);
    if (good && q->gate->winbind)
        return move_mic_by_domain(q, token, buf_cstr(domain), buf_cstr(user), from->tried, a);
    if (good && find_account(q, users, token, d, u, from))
        return true;
    accept_say(a, KEYS_REFUSED, "NTLM: the user is unknown or the password wrong");
    accept_was_wrong(q, a, from->tried);
    return false;
}

/* The account that the client claims, and the file for it. false: *a says no. */
static bool prepare_account(const struct accept_question *q, const struct users *users,
                            const struct accept_token *token, struct claimant *from, struct accept_answer *a)
{
    struct accept_claim claim;
    struct buf domain = {0}, user = {0};
    accept_claim_read(token->ntlm, &claim);
    if (claim.anonymous || claim.old) {
        accept_say(a, KEYS_REFUSED,
                   claim.anonymous ? "NTLM: a null session names no user"
                                   : "NTLM: version 1 of NTLM is not taken");
        return false;
    }
    name_text(&domain, claim.domain, token->oem);
    name_text(&user, claim.user, token->oem);
    bool good = prepare_names(q, users, token, &domain, &user, from, a);
    buf_free(&domain);
    buf_free(&user);
    return good;
}

static bool is_guest(const char *name)
{
    struct span n = span_str(name);
    size_t back = span_find(n, '\\');
    n = back < n.n ? span_from(n, back + 1) : span_head(n, span_find(n, '@'));
    return span_ieq(n, SPAN("guest"));
}

static void add_line(struct buf *lines, enum auth_scheme scheme, const struct buf *token)
{
    struct buf text = {0};
    base64_encode(&text, buf_span(token));
    buf_addf(lines, "%s %s\n", names[scheme], buf_cstr(&text));
    buf_free(&text);
}

/* As whom we act for it, and with what. The ticket that it handed on must be its own. */
static void act_for(const struct accept_question *q, struct gss_entry_who *who, struct accept_answer *a)
{
    struct ticket ticket = {0};
    struct err e;
    a->account = inbound_account(q->gate->domain, a->identity, who->kerberos, who->at_home);
    if (who->cache && !ticket_adopt(who->cache, who->name, &ticket, &e))
        log_warning(NULL, "gateway %s: the ticket that %s handed on is not used: %s", q->gate->name,
                    who->name, e.text);
    free(who->cache);
    who->cache = NULL;
    if (who->kerberos)
        a->handed = handed_new(who->name, &ticket, &q->handshake->evidence, a->until);
}

/* true: nobody has that password. */
static bool let_in(const struct accept_question *q, enum auth_scheme scheme, struct gss_entry_who *who,
                   const char *account, const struct buf *out, struct accept_answer *a)
{
    bool by_file = !who->kerberos && !q->gate->winbind;
    if (who->nobody || (by_file && !account) || (!who->kerberos && q->gate->winbind && is_guest(who->name))) {
        accept_say(a, KEYS_REFUSED, "%s: %s", names[scheme],
                   by_file && !who->nobody ? "the user is unknown or the password wrong"
                                           : "an anonymous user or a guest is nobody who may come in");
        return by_file && !who->nobody;
    }
    free(a->identity);
    a->identity = by_file         ? mem_strdup(account)
                  : who->kerberos ? mem_strdup(who->name)
                                  : accept_identity(q->gate, span_str(who->name));
    a->verdict = KEYS_OK;
    a->flags = KEYS_BINDS;
    a->scheme = scheme == AUTH_NTLM ? "NTLM" : who->kerberos ? "Negotiate (Kerberos)" : "Negotiate (NTLM)";
    a->until = who->kerberos && who->lifetime ? time(NULL) + who->lifetime : 0;
    if (q->gate->per_user)
        act_for(q, who, a);
    if (out->n)
        add_line(&a->lines, scheme, out);
    return false;
}

static void step(const struct accept_question *q, const struct gate_hand *hand, enum auth_scheme scheme,
                 struct span bytes, const struct accept_token *token, struct accept_answer *a)
{
    struct accept_handshake *h = q->handshake;
    struct claimant from = {.file.fd = -1};
    struct gss_entry_who who = {0};
    struct buf out = {0};
    struct err e = {0};
    bool over = true, wrong = false;
    static const char nowhere[] = "/dev/null"; /* no account is due yet */
    if (!token->last || prepare_account(q, hand->users, token, &from, a)) {
        struct span evidence = q->gate->per_user ? accept_evidence(bytes) : SPAN("");
        if (evidence.n && !h->evidence.n)
            buf_add_span(&h->evidence, evidence);
        const char *accounts = q->gate->winbind ? NULL : from.file.fd >= 0 ? from.file.path : nowhere;
        enum gss_entry_outcome outcome = gss_entry_step(h->entry, bytes, accounts, &out, &who, &e);
        switch (outcome) {
        case GSS_ENTRY_MORE:
            a->verdict = KEYS_SEND;
            if (h->asked.n && h->challenge.n == 0)
                buf_add_span(&h->challenge, buf_span(&out));
            add_line(&a->lines, scheme, &out);
            over = ++h->legs >= LEGS_MOST;
            if (over) {
                buf_clear(&a->lines);
                accept_say(a, KEYS_REFUSED, "%s: the handshake does not end", names[scheme]);
            }
            break;
        case GSS_ENTRY_IN:
            wrong = let_in(q, scheme, &who, from.account, &out, a);
            break;
        default:
            wrong = refuse(scheme, token, outcome, &e, a);
        }
    }
    if (wrong)
        accept_was_wrong(q, a, from.tried ? from.tried : "");
    if (over)
        accept_handshake_drop(h);
    if (who.cache)
        ticket_discard(who.cache);
    free(who.cache);
    free(who.name);
    secret_wipe(out.p, out.n);
    buf_free(&out);
    drop_file(&from.file);
    free(from.tried);
    free(from.account);
}

/* What the client begins with, if that can be had; else the other one that it offers. */
static bool takes_kerberos(const struct gate_hand *hand, const struct accept_token *token)
{
    bool other = token->form == TOKEN_INIT;
    if (token->kerberos && token->ntlm.n == 0)
        return !other || hand->kerberos || !hand->works[AUTH_NTLM];
    return other && token->kerberos && !hand->works[AUTH_NTLM];
}

static bool fits(const struct accept_question *q, const struct gate_hand *hand, enum auth_scheme scheme,
                 const struct accept_token *token, struct accept_answer *a)
{
    const struct accept_handshake *h = q->handshake;
    bool first = token->form == TOKEN_INIT || token->form == TOKEN_KERBEROS ||
                 (token->form == TOKEN_NTLM && !token->last);
    if ((scheme == AUTH_NTLM && token->form != TOKEN_NTLM) || (token->last && token->form == TOKEN_INIT)) {
        accept_say(a, KEYS_BROKEN, "The token in Proxy-Authorization is not one of %s", names[scheme]);
        return false;
    }
    if (!first && (!h->entry || h->scheme != scheme)) {
        accept_say(a, KEYS_REFUSED, "%s: there is no handshake of which this token would be the next",
                   names[scheme]);
        return false;
    }
    if (!first)
        return true;
    bool kerberos = takes_kerberos(hand, token);
    accept_handshake_drop(q->handshake);
    if (!(kerberos ? hand->kerberos != NULL : hand->works[AUTH_NTLM])) {
        accept_say(a, KEYS_REFUSED, "%s: %s is not taken here", names[scheme],
                   kerberos ? "Kerberos" : "NTLM");
        return false;
    }
    q->handshake->scheme = scheme;
    q->handshake->oem = token->oem;
    q->handshake->entry = gss_entry_new(kerberos ? hand->kerberos : hand->ntlm, buf_span(&q->binding));
    return true;
}

/* What has passed accept_check. */
static void speak(const struct accept_question *q, const struct gate_hand *hand, enum auth_scheme scheme,
                  struct buf *bytes, struct accept_token *token, struct accept_answer *a)
{
    size_t n = bytes->n;
    bool longer = accept_mend(bytes, token);
    if (!fits(q, hand, scheme, token, a))
        return;
    if (longer) {
        buf_add_span(&q->handshake->asked, span_head(buf_span(bytes), n));
        buf_add_span(&q->handshake->mended, buf_span(bytes));
    }
    step(q, hand, scheme, buf_span(bytes), token, a);
}

void accept_token(const struct accept_question *q, const struct gate_hand *hand, enum auth_scheme scheme,
                  struct span token68, struct accept_answer *a)
{
    struct buf bytes = {0};
    struct accept_token token;
    const char *why;
    if (!base64_decode(&bytes, token68))
        accept_say(a, KEYS_BROKEN, "The token in Proxy-Authorization is not base64");
    else if (!accept_check(buf_span(&bytes), q->handshake->oem, &token, &why))
        accept_say(a, KEYS_BROKEN, "The token in Proxy-Authorization %s", why);
    else
        speak(q, hand, scheme, &bytes, &token, a);
    if (a->verdict == KEYS_BROKEN)
        accept_handshake_drop(q->handshake);
    secret_wipe(bytes.p, bytes.n);
    buf_free(&bytes);
}
