/*
 * The library of Kerberos has no public call of its own for this; GSSAPI has one.
 */
#include "keys/gss_act.h"

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <string.h>

#include "keys/gss_words.h"

static gss_OID_desc oid_krb5 = {9, "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"};
static gss_OID_set_desc only_krb5 = {1, &oid_krb5};

static OM_uint32 keep(gss_cred_id_t id, const char *into, OM_uint32 *minor)
{
    gss_key_value_element_desc element = {"ccache", into};
    gss_key_value_set_desc store = {1, &element};
    return gss_store_cred_into(minor, id, GSS_C_INITIATE, &oid_krb5, 1, 0, &store, NULL, NULL);
}

bool gss_impersonate(const char *service, const char *user, const char *into, int32_t *code, struct err *e)
{
    OM_uint32 minor = 0, ignored;
    gss_key_value_element_desc element = {"ccache", service};
    gss_key_value_set_desc store = {1, &element};
    gss_buffer_desc text = {strlen(user), (char *)user};
    gss_name_t name = GSS_C_NO_NAME;
    gss_cred_id_t own = GSS_C_NO_CREDENTIAL, acting = GSS_C_NO_CREDENTIAL;
    OM_uint32 major = gss_import_name(&minor, &text, (gss_OID)GSS_KRB5_NT_PRINCIPAL_NAME, &name);
    if (!GSS_ERROR(major))
        major = gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &only_krb5, GSS_C_INITIATE,
                                      &store, &own, NULL, NULL);
    if (!GSS_ERROR(major))
        major = gss_acquire_cred_impersonate_name(&minor, own, name, GSS_C_INDEFINITE, &only_krb5,
                                                  GSS_C_INITIATE, &acting, NULL, NULL);
    if (!GSS_ERROR(major))
        major = keep(acting, into, &minor);
    *code = (int32_t)minor;
    if (GSS_ERROR(major))
        gss_explain(e, "the Kerberos server gives no ticket in another's name", major, minor, &oid_krb5);
    gss_release_name(&ignored, &name);
    gss_release_cred(&ignored, &own);
    gss_release_cred(&ignored, &acting);
    return !GSS_ERROR(major);
}
