/*
 * Acting for users (MS-SFU): the service whose keytab we have asks the KDC for tickets in a user's name. The user's cache holds those tickets alone: none
 * with which anything else could be had. What the service asks with, its own ticket and the evidence that the user came to it, is kept
 * beside it. First the client's own ticket for our gateway is shown as evidence, where there is one (S4U2Proxy); where that will not do, a ticket that
 * the KDC gives on the service's word (S4U2Self).
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "keys/gss_act.h"
#include "keys/ticket_inside.h"

void acting_free(struct acting *a)
{
    if (!a)
        return;
    free(a->cache);
    free(a->service);
    buf_free(&a->evidence);
    free(a);
}

/* --- caches that GSSAPI filled --- */

void ticket_discard(const char *cache)
{
    krb5_context k;
    krb5_ccache c;
    if (krb5_init_context(&k) != 0)
        return;
    if (krb5_cc_resolve(k, cache, &c) == 0)
        krb5_cc_destroy(k, c);
    krb5_free_context(k);
}

static bool is_of(krb5_context k, krb5_ccache cache, const char *principal, krb5_principal *me)
{
    if (krb5_cc_get_principal(k, cache, me) != 0)
        return false;
    char *name = krb_name(k, *me);
    bool same = name && strcmp(name, principal) == 0;
    free(name);
    return same;
}

bool ticket_adopt(const char *cache, const char *principal, struct ticket *out, struct err *e)
{
    krb5_context k;
    krb5_ccache c = NULL;
    krb5_principal me = NULL;
    *out = (struct ticket){0};
    if (!krb_begin(&k, e)) {
        return false;
    }
    bool good = krb5_cc_resolve(k, cache, &c) == 0;
    if (good && !is_of(k, c, principal, &me))
        good = err_set(e, ERR_REFUSED, "it is another user's");
    else if (good && !krb_lifetime(k, c, me, out))
        good = err_set(e, ERR_SYSTEM, "it has ended, or gets no further tickets");
    if (good) {
        out->cache = mem_strdup(cache);
        out->principal = mem_strdup(principal);
        out->private = true;
    } else {
        *out = (struct ticket){0};
    }
    krb5_free_principal(k, me);
    if (c && good)
        krb5_cc_close(k, c);
    else if (c)
        krb5_cc_destroy(k, c);
    krb5_free_context(k);
    return good;
}

enum ticket_result ticket_delegated(const struct ticket *from, struct ticket *out, struct err *e)
{
    krb5_context k;
    krb5_ccache old = NULL, fresh = NULL;
    krb5_principal me = NULL;
    char *name = NULL;
    *out = (struct ticket){0};
    if (!krb_begin(&k, e))
        return TICKET_FAILED;
    krb5_error_code code = krb5_cc_resolve(k, from->cache, &old);
    if (code == 0)
        code = krb5_cc_get_principal(k, old, &me);
    if (code == 0)
        code = krb5_cc_new_unique(k, "MEMORY", NULL, &fresh);
    if (code == 0)
        code = krb5_cc_initialize(k, fresh, me);
    if (code == 0)
        code = krb5_cc_copy_creds(k, old, fresh);
    if (code == 0)
        code = krb5_cc_get_full_name(k, fresh, &name);
    if (code == 0) {
        *out = *from;
        out->cache = mem_strdup(name);
        out->principal = mem_strdup(from->principal);
        out->delegated = true;
        krb5_free_string(k, name);
        krb5_cc_close(k, fresh);
    } else if (fresh) {
        krb5_cc_destroy(k, fresh);
    }
    enum ticket_result result = code ? krb_explain(k, code, from->principal, e) : TICKET_OK;
    krb5_free_principal(k, me);
    if (old)
        krb5_cc_close(k, old);
    krb5_free_context(k);
    return result;
}

/* --- what the KDC says --- */

static enum ticket_result explain(krb5_context k, krb5_error_code code, const char *user,
                                  const struct acting *a, const char *where, struct err *e)
{
    static const krb5_error_code denials[] = {KRB5KDC_ERR_BADOPTION, KRB5KDC_ERR_POLICY,
                                              KRB5_TKT_NOT_FORWARDABLE, KRB5KRB_AP_ERR_NOT_US,
                                              KRB5KDC_ERR_PADATA_TYPE_NOSUPP};
    for (size_t i = 0; i < sizeof denials / sizeof *denials; i++) {
        if (code != denials[i])
            continue;
        const char *detail = krb5_get_error_message(k, code);
        err_set(e, ERR_REFUSED, "the Kerberos server does not let %s act for %s%s%s (%s)", a->service, user,
                where ? " at " : "", where ? where : "", detail);
        krb5_free_error_message(k, detail);
        return TICKET_NOT_ALLOWED;
    }
    if (!where && code == KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN) { /* said of a realm */
        err_set(e, ERR_CONFIG, "the Kerberos server of %s knows no way to the realm of %s", a->service, user);
        return TICKET_UNKNOWN_USER;
    }
    return krb_explain(k, code, where ? where : user, e);
}

/* --- evidence --- */

/* The one ticket for the service itself in what GSSAPI left: it is what S4U2Self gave. */
static krb5_error_code find_evidence(krb5_context k, krb5_ccache cache, krb5_principal user, krb5_creds *out)
{
    krb5_cc_cursor cursor;
    krb5_creds creds;
    krb5_error_code code = krb5_cc_start_seq_get(k, cache, &cursor);
    if (code)
        return code;
    bool found = false;
    while (!found && krb5_cc_next_cred(k, cache, &cursor, &creds) == 0) {
        found = !krb5_is_config_principal(k, creds.server) && krb5_principal_compare(k, creds.client, user);
        if (found)
            *out = creds;
        else
            krb5_free_cred_contents(k, &creds);
    }
    krb5_cc_end_seq_get(k, cache, &cursor);
    return found ? 0 : KRB5_CC_NOTFOUND;
}

/* S4U2Self. *out: the caller frees its contents. */
static enum ticket_result ask_for_evidence(krb5_context k, const struct acting *a, krb5_principal user,
                                           krb5_creds *out, struct err *e)
{
    static atomic_uint serial;
    krb5_ccache cache = NULL;
    struct buf into = {0};
    int32_t number = 0;
    char *name = krb_name(k, user);
    enum ticket_result result = TICKET_FAILED;
    buf_addf(&into, "MEMORY:exeat-acting-%u", atomic_fetch_add(&serial, 1));
    if (name && !gss_impersonate(a->cache, name, buf_cstr(&into), &number, e)) {
        struct err words;
        enum ticket_result known = explain(k, number, name, a, NULL, &words);
        if (known != TICKET_FAILED) {
            result = known;
            *e = words;
        }
    } else if (name && krb5_cc_resolve(k, buf_cstr(&into), &cache) == 0) {
        krb5_error_code code = find_evidence(k, cache, user, out);
        result = code ? explain(k, code, name, a, NULL, e) : TICKET_OK;
        krb5_cc_destroy(k, cache);
    }
    free(name);
    buf_free(&into);
    return result;
}

/* --- the user's cache --- */

static krb5_error_code make_user(krb5_context k, const struct act_ask *ask, krb5_principal *user)
{
    return ask->principal ? krb5_parse_name(k, ask->principal, user)
                          : krb5_build_principal(k, user, (unsigned)strlen(ask->realm), ask->realm,
                                                 ask->who->user, (char *)NULL);
}

/* The client's own ticket for us: its key is not ours to know, so that it is good for nothing but evidence. */
static void describe_evidence(const struct act_ask *ask, krb5_principal user, krb5_principal service,
                              krb5_creds *out)
{
    *out = (krb5_creds){.client = user, .server = service};
    out->times.authtime = out->times.starttime = (krb5_timestamp)(uint32_t)time(NULL);
    int64_t until = ask->service->until;
    if (ask->until && ask->until < until)
        until = ask->until;
    out->times.endtime = (krb5_timestamp)(uint32_t)until;
    out->ticket = (krb5_data){.length = (unsigned)ask->evidence.n, .data = (char *)ask->evidence.p};
}

/* An empty cache is none to GSSAPI: the evidence makes it one. */
static krb5_error_code keep(krb5_context k, const krb5_creds *evidence, struct ticket *out)
{
    krb5_ccache cache;
    char *name = NULL;
    krb5_creds copy = *evidence;
    krb5_error_code code = krb5_cc_new_unique(k, "MEMORY", NULL, &cache);
    if (code)
        return code;
    if ((code = krb5_cc_initialize(k, cache, evidence->client)) != 0 ||
        (code = krb5_cc_store_cred(k, cache, &copy)) != 0 ||
        (code = krb5_cc_get_full_name(k, cache, &name)) != 0) {
        krb5_cc_destroy(k, cache);
        return code;
    }
    out->cache = mem_strdup(name);
    out->principal = krb_name(k, evidence->client);
    out->private = true;
    krb_times(evidence, out);
    out->renew_until = 0;
    buf_add(&out->acting->evidence, evidence->ticket.data, evidence->ticket.length);
    krb5_free_string(k, name);
    krb5_cc_close(k, cache);
    return 0;
}

enum ticket_result ticket_act(const struct act_ask *ask, struct ticket *out, struct err *e)
{
    krb5_context k;
    krb5_principal user = NULL, service = NULL;
    krb5_creds evidence = {0};
    *out = (struct ticket){0};
    if (!krb_begin(&k, e))
        return TICKET_FAILED;
    struct acting *a = out->acting = mem_zero(sizeof *a);
    a->cache = mem_strdup(ask->service->cache);
    a->service = mem_strdup(ask->service->principal);
    a->lent = ask->evidence.n > 0;
    krb5_error_code code = make_user(k, ask, &user);
    if (code == 0)
        code = krb5_parse_name(k, a->service, &service);
    enum ticket_result result = code ? krb_explain(k, code, ask->who->text, e) : TICKET_OK;
    if (code == 0 && a->lent)
        describe_evidence(ask, user, service, &evidence);
    else if (code == 0)
        result = ask_for_evidence(k, a, user, &evidence, e);
    if (result == TICKET_OK && (code = keep(k, &evidence, out)) != 0)
        result = krb_explain(k, code, ask->who->text, e);
    if (!a->lent)
        krb5_free_cred_contents(k, &evidence);
    if (result != TICKET_OK)
        ticket_free(out);
    krb5_free_principal(k, user);
    krb5_free_principal(k, service);
    krb5_free_context(k);
    return result;
}

/* --- service tickets --- */

/* S4U2Proxy. The KDC's answer must be for the user whom we asked for. */
static krb5_error_code ask_for_service(krb5_context k, const struct acting *a, const krb5_data *evidence,
                                       krb5_principal user, krb5_principal server, krb5_creds **out)
{
    krb5_ccache own = NULL;
    krb5_creds want = {.server = server, .second_ticket = *evidence};
    krb5_error_code code = krb5_parse_name(k, a->service, &want.client);
    *out = NULL;
    if (code == 0)
        code = krb5_cc_resolve(k, a->cache, &own);
    if (code == 0)
        code = krb5_get_credentials(k, KRB5_GC_CONSTRAINED_DELEGATION | KRB5_GC_NO_STORE, own, &want, out);
    if (code == 0 && !krb5_principal_compare(k, (*out)->client, user)) {
        krb5_free_creds(k, *out);
        *out = NULL;
        code = KRB5_KDCREP_MODIFIED;
    }
    if (own)
        krb5_cc_close(k, own);
    krb5_free_principal(k, want.client);
    return code;
}

/* Under the name, with realm, that the ticket itself says. */
static krb5_error_code store(krb5_context k, krb5_ccache cache, krb5_creds *creds, char **principal)
{
    krb5_ticket *ticket = NULL;
    krb5_error_code code = krb5_decode_ticket(&creds->ticket, &ticket);
    if (code)
        return code;
    krb5_creds named = *creds;
    named.server = ticket->server;
    code = krb5_cc_store_cred(k, cache, &named);
    if (code == 0)
        *principal = krb_name(k, ticket->server);
    krb5_free_ticket(k, ticket);
    return code;
}

enum ticket_result ticket_act_service(krb5_context k, const struct ticket *t, krb5_ccache cache,
                                      krb5_principal server, char **principal, struct err *e)
{
    const struct acting *a = t->acting;
    krb5_principal user = NULL;
    krb5_creds *have = NULL, self = {0};
    krb5_data evidence = {.length = (unsigned)a->evidence.n, .data = a->evidence.p};
    char *name = krb_name(k, server);
    krb5_error_code code = krb5_cc_get_principal(k, cache, &user);
    if (code == 0)
        code = ask_for_service(k, a, &evidence, user, server, &have);
    enum ticket_result result = code ? explain(k, code, t->principal, a, name, e) : TICKET_OK;
    if (a->lent && result != TICKET_OK && result != TICKET_UNREACHABLE &&
        ask_for_evidence(k, a, user, &self, e) == TICKET_OK) {
        code = ask_for_service(k, a, &self.ticket, user, server, &have);
        result = code ? explain(k, code, t->principal, a, name, e) : TICKET_OK;
    }
    if (have && (code = store(k, cache, have, principal)) != 0)
        result = krb_explain(k, code, name, e);
    if (have)
        krb5_free_creds(k, have);
    krb5_free_cred_contents(k, &self);
    krb5_free_principal(k, user);
    free(name);
    return result;
}
