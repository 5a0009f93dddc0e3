/*
 * What time it is at the KDC. An exchange is begun without a password: the KDC's refusal ("prove who you are first") carries its clock (RFC 4120
 * section 5.9.1), and the exchange ends there, so that no attempt is counted. Worker threads.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "keys/ticket_inside.h"

#define NO_SUCH_CLIENT 6 /* KDC_ERR_C_PRINCIPAL_UNKNOWN on the wire (RFC 4120 section 7.5.9) */

static krb5_error_code make_principal(krb5_context k, const struct account *who, const char *principal,
                                      krb5_principal *me, struct err *e)
{
    if (principal)
        return krb5_parse_name(k, principal, me);
    char *realm = ticket_realm(who, e);
    if (!realm)
        return KRB5_CONFIG_NODEFREALM;
    krb5_error_code code =
        krb5_build_principal(k, me, (unsigned)strlen(realm), realm, who->user, (char *)NULL);
    free(realm);
    return code;
}

/* The refusal that came last, if one came. */
static bool read_refusal(krb5_context k, krb5_init_creds_context login, struct kdc_clock *out)
{
    krb5_error *refusal = NULL;
    if (krb5_init_creds_get_error(k, login, &refusal) != 0 || !refusal)
        return false;
    out->told = true;
    out->offset = (int64_t)(uint32_t)refusal->stime - (int64_t)time(NULL);
    out->knows = refusal->error != NO_SUCH_CLIENT;
    krb5_free_error(k, refusal);
    return true;
}

static enum ticket_result exchange(krb5_context k, krb5_principal me, struct kdc_clock *out, struct err *e)
{
    krb5_init_creds_context login = NULL;
    krb5_error_code code = krb5_init_creds_init(k, me, NULL, NULL, 0, NULL, &login);
    if (code == 0)
        code = krb5_init_creds_get(k, login);
    enum ticket_result result = TICKET_OK;
    if (!login || !read_refusal(k, login, out)) {
        result = krb_explain(k, code, out->realm, e);
        /* An account that needs no proof: the KDC has answered with a ticket that we cannot open. */
        out->knows = login && result == TICKET_FAILED;
        result = out->knows ? TICKET_OK : result;
    }
    krb5_init_creds_free(k, login);
    return result;
}

enum ticket_result ticket_clock(const struct account *who, const char *principal, struct kdc_clock *out,
                                struct err *e)
{
    krb5_context k;
    krb5_principal me = NULL;
    *out = (struct kdc_clock){0};
    if (!krb_begin(&k, e))
        return TICKET_FAILED;
    enum ticket_result result = TICKET_FAILED;
    krb5_error_code code = make_principal(k, who, principal, &me, e);
    if (code == 0) {
        out->realm = span_dup(span_make(me->realm.data, me->realm.length));
        result = exchange(k, me, out, e);
    } else if (code != KRB5_CONFIG_NODEFREALM) {
        krb_explain(k, code, principal ? principal : who->text, e);
    }
    krb5_free_principal(k, me);
    krb5_free_context(k);
    return result;
}
