/*
 * The only home of krb5.h. Each call makes a library context of its own: a context belongs to one thread, and making one
 * costs microseconds beside what the call itself does. Error codes of the KDC become sentences here, and one of them, preauthentication
 * failed, is the refusal of a password.
 */
#include "keys/ticket.h"

#include <krb5/krb5.h>
#include <profile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define TICKET_LEAST_SECONDS 60 /* a ticket that ends sooner counts as none */

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
    {KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN, TICKET_UNKNOWN_USER, "the Kerberos server does not know this user"},
    {KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN, TICKET_UNKNOWN_SERVICE,
     "the Kerberos server does not know the proxy's service name"},
    {KRB5_KDC_UNREACH, TICKET_UNREACHABLE, "no Kerberos server can be reached"},
    {KRB5_REALM_CANT_RESOLVE, TICKET_UNREACHABLE, "no Kerberos server can be found"},
    {KRB5_REALM_UNKNOWN, TICKET_UNREACHABLE, "no Kerberos server can be found"},
};

static enum ticket_result explain(krb5_context k, krb5_error_code code, const char *what, struct err *e)
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

static bool begin(krb5_context *k, struct err *e)
{
    krb5_error_code code = krb5_init_context(k);
    return code == 0 ||
           err_set(e, ERR_SYSTEM, "Kerberos cannot start: its configuration is unreadable (%ld)", (long)code);
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
    free(t->cache);
    free(t->principal);
    *t = (struct ticket){0};
}

/* The lifetime of the ticket-granting ticket of `me`'s own realm. false: there is none that is valid for a while. */
static bool read_lifetime(krb5_context k, krb5_ccache cache, krb5_principal me, struct ticket *out)
{
    krb5_creds want = {0}, have;
    bool good = false;
    if (krb5_build_principal_ext(k, &want.server, me->realm.length, me->realm.data, KRB5_TGS_NAME_SIZE,
                                 KRB5_TGS_NAME, me->realm.length, me->realm.data, 0) != 0)
        return false;
    want.client = me;
    if (krb5_cc_retrieve_cred(k, cache, 0, &want, &have) == 0) {
        out->until = (time_t)(uint32_t)have.times.endtime;
        out->since = (time_t)(uint32_t)have.times.authtime;
        good = out->until > time(NULL) + TICKET_LEAST_SECONDS;
        krb5_free_cred_contents(k, &have);
    }
    krb5_free_principal(k, want.server);
    return good;
}

/* Looks at one cache. true: it is the account's, and good. Otherwise its owner's name is left in `others`. */
static bool look_at(krb5_context k, krb5_ccache cache, const struct account *who, struct ticket *out,
                    struct buf *others)
{
    krb5_principal me = NULL;
    char *name = NULL;
    bool good = false;
    if (krb5_cc_get_principal(k, cache, &me) != 0)
        return false;
    if (krb5_unparse_name(k, me, &name) == 0) {
        bool alive = read_lifetime(k, cache, me, out);
        good = alive && account_is_principal(who, span_str(name));
        if (good) {
            krb5_cc_get_full_name(k, cache, &out->cache);
            char *copy = mem_strdup(out->cache);
            krb5_free_string(k, out->cache);
            out->cache = copy;
            out->principal = mem_strdup(name);
        } else {
            buf_addf(others, "%s%s%s", others->n ? ", " : "", name, alive ? "" : " (expired)");
        }
        krb5_free_unparsed_name(k, name);
    }
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
    if (!begin(&k, e))
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

static bool realm_has_kdcs(const char *realm)
{
    krb5_context k;
    profile_t profile;
    char **values = NULL;
    bool has = false;
    const char *names[] = {"realms", realm, "kdc", NULL};
    if (krb5_init_context(&k) != 0)
        return false;
    if (krb5_get_profile(k, &profile) == 0) {
        has = profile_get_values(profile, names, &values) == 0 && values && values[0];
        if (values)
            profile_free_list(values);
        profile_release(profile);
    }
    krb5_free_context(k);
    return has;
}

char *ticket_realm(const struct account *who)
{
    if (who->form == ACCOUNT_PLAIN || who->form == ACCOUNT_NONE)
        return NULL;
    if (realm_has_kdcs(who->domain))
        return mem_strdup(who->domain);
    char *upper = mem_strdup(who->domain);
    for (char *c = upper; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - ('a' - 'A'));
    if (who->form == ACCOUNT_UPN || realm_has_kdcs(upper))
        return upper;
    free(upper);
    return NULL;
}

/* Makes the cache and puts what the KDC gave into it. */
static krb5_error_code keep(krb5_context k, krb5_principal me, krb5_creds *creds, struct ticket *out)
{
    krb5_ccache cache;
    char *name = NULL;
    krb5_error_code code = krb5_cc_new_unique(k, "MEMORY", NULL, &cache);
    if (code)
        return code;
    if ((code = krb5_cc_initialize(k, cache, me)) != 0 || (code = krb5_cc_store_cred(k, cache, creds)) != 0 ||
        (code = krb5_cc_get_full_name(k, cache, &name)) != 0) {
        krb5_cc_destroy(k, cache);
        return code;
    }
    *out = (struct ticket){.cache = mem_strdup(name),
                           .until = (time_t)(uint32_t)creds->times.endtime,
                           .since = (time_t)(uint32_t)creds->times.authtime,
                           .private = true};
    krb5_free_string(k, name);
    if (krb5_unparse_name(k, me, &name) == 0) {
        out->principal = mem_strdup(name);
        krb5_free_unparsed_name(k, name);
    }
    krb5_cc_close(k, cache);
    return 0;
}

/* Not krb5_get_init_creds_password: that asks the realm's primary KDC again when a password was refused, and the directory counts twice. */
static krb5_error_code exchange(krb5_context k, krb5_principal me, const struct secret *password,
                                struct ticket *out)
{
    krb5_init_creds_context login = NULL;
    krb5_creds creds = {0};
    /* No prompter: a password that must be changed is an error here, never a question on a terminal. */
    krb5_error_code code = krb5_init_creds_init(k, me, NULL, NULL, 0, NULL, &login);
    if (code)
        return code;
    code = krb5_init_creds_set_password(k, login, secret_reveal(password).p);
    if (code == 0)
        code = krb5_init_creds_get(k, login);
    if (code == 0)
        code = krb5_init_creds_get_creds(k, login, &creds);
    if (code == 0) {
        code = keep(k, me, &creds, out);
        krb5_free_cred_contents(k, &creds);
    }
    krb5_init_creds_free(k, login);
    return code;
}

enum ticket_result ticket_acquire(const struct account *who, const char *realm, const struct secret *password,
                                  struct ticket *out, struct err *e)
{
    krb5_context k;
    krb5_principal me = NULL;
    *out = (struct ticket){0};
    if (!begin(&k, e))
        return TICKET_FAILED;
    krb5_error_code code =
        krb5_build_principal(k, &me, (unsigned)strlen(realm), realm, who->user, (char *)NULL);
    if (code == 0)
        code = exchange(k, me, password, out);
    enum ticket_result result = code ? explain(k, code, who->text, e) : TICKET_OK;
    krb5_free_principal(k, me);
    krb5_free_context(k);
    return result;
}

static krb5_error_code fetch_service(krb5_context k, krb5_ccache cache, krb5_creds *want)
{
    krb5_creds *have = NULL;
    krb5_error_code code = krb5_cc_get_principal(k, cache, &want->client);
    if (code == 0)
        code = krb5_get_credentials(k, 0, cache, want, &have);
    if (code == 0)
        krb5_free_creds(k, have);
    krb5_free_principal(k, want->client);
    return code;
}

enum ticket_result ticket_service(const struct ticket *t, const char *host, const char *spn, struct err *e)
{
    krb5_context k;
    krb5_ccache cache = NULL;
    krb5_creds want = {0};
    char *own = NULL;
    if (!begin(&k, e))
        return TICKET_FAILED;
    krb5_error_code code;
    const char *slash = spn ? strchr(spn, '/') : NULL;
    if (spn && (strchr(spn, '@') || !slash)) {
        code = krb5_parse_name(k, spn, &want.server);
    } else {
        own = span_dup(spn ? span_make(spn, (size_t)(slash - spn)) : SPAN("HTTP"));
        code = krb5_sname_to_principal(k, spn ? slash + 1 : host, own, KRB5_NT_SRV_HST, &want.server);
    }
    if (code == 0)
        code = krb5_cc_resolve(k, t->cache, &cache);
    if (code == 0)
        code = fetch_service(k, cache, &want);
    struct buf what = {0};
    buf_addf(&what, "%s", spn ? spn : "HTTP/");
    if (!spn)
        buf_add_str(&what, host);
    enum ticket_result result = code ? explain(k, code, buf_cstr(&what), e) : TICKET_OK;
    buf_free(&what);
    if (cache)
        krb5_cc_close(k, cache);
    krb5_free_principal(k, want.server);
    krb5_free_context(k);
    free(own);
    return result;
}
