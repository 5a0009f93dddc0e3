/*
 * The proxy's name in Kerberos, and the ticket for it. We make the name ourselves, by the configuration, and hand the very same one to GSSAPI: left
 * to itself GSSAPI would make it of the host name at each handshake, by krb5.conf and the DNS.
 */
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "keys/ticket_inside.h"

/* Lower case, without the dot at the end of a DNS name: that is how service names are registered. */
static char *plain_host(const char *host)
{
    size_t n = strlen(host);
    char *plain = span_dup(span_make(host, n > 1 && host[n - 1] == '.' ? n - 1 : n));
    for (char *c = plain; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + ('a' - 'A'));
    return plain;
}

/* Where the aliases end; the name itself where DNS does not know. No reverse look-up: anybody may write anything there. */
static char *follow_aliases(const char *host)
{
    struct addrinfo hints = {.ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM}, *all = NULL;
    char *name = NULL;
    if (getaddrinfo(host, NULL, &hints, &all) == 0) {
        if (all->ai_canonname && *all->ai_canonname)
            name = plain_host(all->ai_canonname);
        freeaddrinfo(all);
    }
    return name ? name : plain_host(host);
}

/* KRB5_NT_SRV_HST lets the library ask the DNS as krb5.conf has it; KRB5_NT_UNKNOWN takes the host as it is. */
static krb5_error_code make_name(krb5_context k, const struct service *s, krb5_principal *out)
{
    const char *slash = s->spn ? strchr(s->spn, '/') : NULL;
    if (s->spn && (strchr(s->spn, '@') || !slash))
        return krb5_parse_name(k, s->spn, out);
    if (s->spn) {
        char *kind = span_dup(span_make(s->spn, (size_t)(slash - s->spn)));
        krb5_error_code code = krb5_sname_to_principal(k, slash + 1, kind, KRB5_NT_UNKNOWN, out);
        free(kind);
        return code;
    }
    if (s->canonicalize == CANONICALIZE_SYSTEM)
        return krb5_sname_to_principal(k, s->host, "HTTP", KRB5_NT_SRV_HST, out);
    char *host = s->canonicalize == CANONICALIZE_YES ? follow_aliases(s->host) : plain_host(s->host);
    krb5_error_code code = krb5_sname_to_principal(k, host, "HTTP", KRB5_NT_UNKNOWN, out);
    free(host);
    return code;
}

static krb5_error_code fetch(krb5_context k, krb5_ccache cache, krb5_creds *want, char **principal)
{
    krb5_creds *have = NULL;
    krb5_error_code code = krb5_cc_get_principal(k, cache, &want->client);
    if (code == 0)
        code = krb5_get_credentials(k, 0, cache, want, &have);
    if (code == 0) {
        *principal = krb_name(k, have->server);
        krb5_free_creds(k, have);
    }
    krb5_free_principal(k, want->client);
    return code;
}

/* As people write it: without the "@" of a realm that the KDC is to find out. */
static char *asked_for(krb5_context k, krb5_const_principal server, const struct service *s)
{
    char *name = server ? krb_name(k, server) : NULL;
    if (!name)
        return mem_strdup(s->spn ? s->spn : s->host);
    size_t n = strlen(name);
    if (n && name[n - 1] == '@')
        name[n - 1] = '\0';
    return name;
}

enum ticket_result ticket_service(const struct ticket *t, const struct service *s, char **principal,
                                  struct err *e)
{
    krb5_context k;
    krb5_ccache cache = NULL;
    krb5_creds want = {0};
    *principal = NULL;
    if (!krb_begin(&k, e))
        return TICKET_FAILED;
    krb5_error_code code = make_name(k, s, &want.server);
    if (code == 0)
        code = krb5_cc_resolve(k, t->cache, &cache);
    enum ticket_result result = TICKET_OK;
    if (code == 0 && t->acting)
        result = ticket_act_service(k, t, cache, want.server, principal, e);
    else if (code == 0)
        code = fetch(k, cache, &want, principal);
    if (code) {
        char *name = asked_for(k, want.server, s);
        result = krb_explain(k, code, name, e);
        free(name);
    }
    if (cache)
        krb5_cc_close(k, cache);
    krb5_free_principal(k, want.server);
    krb5_free_context(k);
    return result;
}
