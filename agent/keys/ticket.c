/*
 * The user's own tickets, and what all calls into the Kerberos library have in common. Each call makes a library context of its own: a context
 * belongs to one thread, and making one costs microseconds beside what the call itself does. Error codes of the KDC become sentences
 * here, and one of them, preauthentication failed, is the refusal of a password. (ticket_get.c acquires, ticket_service.c names the proxy, ticket_act.c acts for users.)
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "keys/ticket_inside.h"

#define TICKET_LEAST_SECONDS 60

static const struct {
    krb5_error_code code;
    enum ticket_result result;
    const char *text;
} codes[] = {
    {KRB5KDC_ERR_PREAUTH_FAILED, TICKET_WRONG_PASSWORD,
     "the Kerberos server says that the password is wrong"},
    {KRB5KRB_AP_ERR_BAD_INTEGRITY, TICKET_WRONG_PASSWORD,
     "the Kerberos server says that the password is wrong"},
    {KRB5KDC_ERR_KEY_EXP, TICKET_PASSWORD_EXPIRED, "the password has expired and must be changed first"},
    {KRB5KDC_ERR_CLIENT_REVOKED, TICKET_REVOKED, "the account is locked or disabled"},
    {KRB5KDC_ERR_NAME_EXP, TICKET_REVOKED, "the account has expired"},
    {KRB5KRB_AP_ERR_SKEW, TICKET_CLOCK_SKEW,
     "the clock of this computer and that of the Kerberos server are too far apart"},
    {KRB5_KDCREP_SKEW, TICKET_CLOCK_SKEW,
     "the clock of this computer and that of the Kerberos server are too far apart"},
    {KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN, TICKET_UNKNOWN_USER, "the Kerberos server does not know this user"},
    {KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN, TICKET_UNKNOWN_SERVICE,
     "the Kerberos server does not know the proxy's service name"},
    {KRB5_KDC_UNREACH, TICKET_UNREACHABLE, "no Kerberos server can be reached"},
    {KRB5_REALM_CANT_RESOLVE, TICKET_UNREACHABLE, "no Kerberos server can be found"},
    {KRB5_REALM_UNKNOWN, TICKET_UNREACHABLE, "no Kerberos server can be found"},
};

enum ticket_result krb_explain(krb5_context k, krb5_error_code code, const char *what, struct err *e)
{
    const char *detail = krb5_get_error_message(k, code);
    enum ticket_result result = TICKET_FAILED;
    err_set(e, ERR_SYSTEM, "Kerberos failed for %s (%s)", what, detail);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (codes[i].code == code) {
            result = codes[i].result;
            err_set(e, result == TICKET_UNREACHABLE ? ERR_UNREACHABLE : ERR_SYSTEM, "%s (%s: %s)",
                    codes[i].text, what, detail);
        }
    }
    krb5_free_error_message(k, detail);
    return result;
}

bool krb_begin(krb5_context *k, struct err *e)
{
    krb5_error_code code = krb5_init_context(k);
    return code == 0 ||
           err_set(e, ERR_SYSTEM, "Kerberos cannot start: its configuration is unreadable (%ld)", (long)code);
}

char *krb_name(krb5_context k, krb5_const_principal p)
{
    char *name;
    if (krb5_unparse_name(k, p, &name) != 0)
        return NULL;
    char *copy = mem_strdup(name);
    krb5_free_unparsed_name(k, name);
    return copy;
}

void krb_times(const krb5_creds *creds, struct ticket *out)
{
    const krb5_ticket_times *t = &creds->times;
    out->since = (time_t)(uint32_t)t->authtime;
    out->start = t->starttime ? (time_t)(uint32_t)t->starttime : out->since;
    out->until = (time_t)(uint32_t)t->endtime;
    out->renew_until = creds->ticket_flags & TKT_FLG_RENEWABLE ? (time_t)(uint32_t)t->renew_till : 0;
}

void ticket_free(struct ticket *t)
{
    krb5_context k;
    krb5_ccache cache;
    if (t->private && t->cache && krb5_init_context(&k) == 0) {
        if (krb5_cc_resolve(k, t->cache, &cache) == 0)
            krb5_cc_destroy(k, cache);
        krb5_free_context(k);
    }
    acting_free(t->acting);
    free(t->cache);
    free(t->principal);
    *t = (struct ticket){0};
}

bool ticket_lasts(const struct ticket *t, time_t now)
{
    time_t part = (t->until - t->start) / 20;
    return t->until > now + (part < TICKET_LEAST_SECONDS ? part : TICKET_LEAST_SECONDS);
}

bool krb_lifetime(krb5_context k, krb5_ccache cache, krb5_principal me, struct ticket *out)
{
    krb5_creds want = {0}, have;
    bool good = false;
    if (krb5_build_principal_ext(k, &want.server, me->realm.length, me->realm.data, KRB5_TGS_NAME_SIZE,
                                 KRB5_TGS_NAME, me->realm.length, me->realm.data, 0) != 0)
        return false;
    want.client = me;
    if (krb5_cc_retrieve_cred(k, cache, 0, &want, &have) == 0) {
        krb_times(&have, out);
        good = ticket_lasts(out, time(NULL));
        krb5_free_cred_contents(k, &have);
    }
    krb5_free_principal(k, want.server);
    return good;
}

static char *full_name(krb5_context k, krb5_ccache cache)
{
    char *name;
    if (krb5_cc_get_full_name(k, cache, &name) != 0)
        return NULL;
    char *copy = mem_strdup(name);
    krb5_free_string(k, name);
    return copy;
}

/* Looks at one cache. true: it is the account's, and good. Otherwise its owner's name is left in `others`. */
static bool look_at(krb5_context k, krb5_ccache cache, const struct account *who, struct ticket *out,
                    struct buf *others)
{
    krb5_principal me = NULL;
    bool good = false;
    if (krb5_cc_get_principal(k, cache, &me) != 0)
        return false;
    char *name = krb_name(k, me);
    if (name) {
        bool alive = krb_lifetime(k, cache, me, out);
        good = alive && account_is_principal(who, span_str(name));
        if (good)
            good = (out->cache = full_name(k, cache)) != NULL;
        else
            buf_addf(others, "%s%s%s", others->n ? ", " : "", name, alive ? "" : " (expired)");
    }
    if (good)
        out->principal = name;
    else
        free(name);
    krb5_free_principal(k, me);
    return good;
}

static bool search_collection(krb5_context k, const struct account *who, struct ticket *out,
                              struct buf *others)
{
    krb5_cccol_cursor cursor;
    krb5_ccache cache;
    bool found = false;
    if (krb5_cccol_cursor_new(k, &cursor) != 0)
        return false;
    /* The primary cache of a collection comes first. Our own memory caches are of another type and not in it. */
    while (!found && krb5_cccol_cursor_next(k, cursor, &cache) == 0 && cache) {
        found = strcmp(krb5_cc_get_type(k, cache), "MEMORY") != 0 && look_at(k, cache, who, out, others);
        krb5_cc_close(k, cache);
    }
    krb5_cccol_cursor_free(k, &cursor);
    return found;
}

enum ticket_result ticket_find(const struct account *who, struct ticket *out, struct err *e)
{
    krb5_context k;
    struct buf others = {.max = 256};
    *out = (struct ticket){0};
    if (!krb_begin(&k, e))
        return TICKET_FAILED;
    bool found = search_collection(k, who, out, &others);
    if (!found && others.n)
        err_set(e, ERR_NONE, "no Kerberos ticket%s%s (there is one of %s)", who->form ? " of " : "",
                who->text, buf_cstr(&others));
    else if (!found)
        err_set(e, ERR_NONE, "no Kerberos ticket%s%s", who->form ? " of " : "", who->text);
    buf_free(&others);
    krb5_free_context(k);
    return found ? TICKET_OK : TICKET_NONE;
}

static bool belongs_to(krb5_context k, krb5_ccache cache, const char *principal)
{
    krb5_principal me = NULL;
    if (krb5_cc_get_principal(k, cache, &me) != 0)
        return false;
    char *name = krb_name(k, me);
    bool same = name && strcmp(name, principal) == 0;
    free(name);
    krb5_free_principal(k, me);
    return same;
}

bool ticket_is_current(const struct ticket *t, bool primary)
{
    krb5_context k;
    krb5_ccache cache;
    if (krb5_init_context(&k) != 0)
        return true; /* nothing can be told: GSSAPI will say what is wrong */
    bool same = false;
    if ((primary ? krb5_cc_default(k, &cache) : krb5_cc_resolve(k, t->cache, &cache)) == 0) {
        char *name = full_name(k, cache);
        same = name && strcmp(name, t->cache) == 0 && belongs_to(k, cache, t->principal);
        free(name);
        krb5_cc_close(k, cache);
    }
    krb5_free_context(k);
    return same;
}
