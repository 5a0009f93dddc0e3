/*
 * The home of gssapi on the client side (its words: gss_words.c; what a service does in its users' names: gss_act.c). What we ask of it is little: no confidentiality, delegation only on demand, and mutual authentication of
 * Kerberos alone (gss-ntlmssp fails when the server does not offer what was asked, and calls mutual authentication granted, which NTLM cannot do).
 * A proxy has two names: Kerberos gets the very principal that the ticket in the cache is for, so that nothing is made of it by DNS; NTLM
 * knows only host-based names. SPNEGO hands on the name of each call, so it gets the other one when the proxy has chosen NTLM.
 * Worker threads.
 */
#include "keys/gss.h"

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <gssapi/gssapi_ntlmssp.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "keys/gss_words.h"
#include "keys/workstation.h"

static gss_OID_desc oid_spnego = {6, "\x2b\x06\x01\x05\x05\x02"};
static gss_OID_desc oid_krb5 = {9, "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"};
static gss_OID_desc oid_ntlm = {GSS_NTLMSSP_OID_LENGTH, GSS_NTLMSSP_OID_STRING};

struct gss_cred {
    gss_cred_id_t id;
};

struct gss_handshake {
    gss_ctx_id_t id;
    gss_cred_id_t cred;   /* lent: its owner keeps it as long as the handshake */
    gss_name_t principal; /* GSS_C_NO_NAME: no Kerberos, or not any more */
    gss_name_t service;
    gss_OID mech;
    struct buf binding;
    char *workstation;
    OM_uint32 wanted;  /* flags, at the next step */
    OM_uint32 granted; /* flags, at the last one */
    bool complete;
};

static gss_OID mech_of(enum gss_mech mech)
{
    return mech == GSS_MECH_SPNEGO ? &oid_spnego : &oid_ntlm;
}

/* Only what was asked for: without this SPNEGO would offer whatever else finds a credential in the environment. */
static bool limit_mechs(gss_cred_id_t id, const struct gss_cred_request *request, struct err *e)
{
    gss_OID_desc mechs[2];
    gss_OID_set_desc set = {0, mechs};
    OM_uint32 minor;
    if (request->cache)
        mechs[set.count++] = oid_krb5;
    if (request->nt_hash && secret_present(request->nt_hash))
        mechs[set.count++] = oid_ntlm;
    OM_uint32 major = gss_set_neg_mechs(&minor, id, &set);
    return !GSS_ERROR(major) ||
           gss_explain(e, "GSSAPI cannot limit the mechanisms", major, minor, &oid_spnego);
}

struct gss_cred *gss_cred_new(const struct gss_cred_request *request, struct err *e)
{
    OM_uint32 major, minor, ignored;
    gss_name_t name = GSS_C_NO_NAME;
    gss_key_value_element_desc elements[2];
    gss_key_value_set_desc store = {0, elements};
    gss_OID_set_desc mechs = {1, mech_of(request->mech)};
    gss_cred_id_t id = GSS_C_NO_CREDENTIAL;
    gss_buffer_desc text = {strlen(request->name), (char *)request->name};

    if (request->cache)
        elements[store.count++] = (gss_key_value_element_desc){"ccache", request->cache};
    if (request->nt_hash && secret_present(request->nt_hash))
        elements[store.count++] =
            (gss_key_value_element_desc){GSS_NTLMSSP_CS_NTHASH, secret_reveal(request->nt_hash).p};
    major = gss_import_name(&minor, &text, GSS_C_NT_USER_NAME, &name);
    if (!GSS_ERROR(major))
        major = gss_acquire_cred_from(&minor, name, GSS_C_INDEFINITE, &mechs, GSS_C_INITIATE, &store, &id,
                                      NULL, NULL);
    gss_release_name(&ignored, &name);
    if (GSS_ERROR(major)) {
        gss_explain(e, "GSSAPI has no credential", major, minor, mech_of(request->mech));
        return NULL;
    }
    if (request->mech == GSS_MECH_SPNEGO && !limit_mechs(id, request, e)) {
        gss_release_cred(&ignored, &id);
        return NULL;
    }
    struct gss_cred *c = mem_zero(sizeof *c);
    c->id = id;
    return c;
}

void gss_cred_free(struct gss_cred *c)
{
    OM_uint32 minor;
    if (!c)
        return;
    gss_release_cred(&minor, &c->id);
    free(c);
}

static bool import(const char *text, gss_OID form, gss_name_t *name, struct err *e)
{
    OM_uint32 minor;
    gss_buffer_desc bytes = {strlen(text), (char *)text};
    OM_uint32 major = gss_import_name(&minor, &bytes, form, name);
    return !GSS_ERROR(major) ||
           gss_explain(e, "the proxy's service name is no name", major, minor, GSS_C_NO_OID);
}

/* HTTP/host@REALM as the host-based name HTTP@host. */
static bool import_service(const struct gss_handshake_request *r, gss_name_t *name, struct err *e)
{
    struct buf text = {0};
    struct span spn = span_str(r->spn);
    struct span plain = span_head(spn, span_rfind(spn, '@'));
    size_t slash = span_find(plain, '/');
    if (slash < plain.n)
        buf_addf(&text, "%.*s@%.*s", SPAN_ARG(span_head(plain, slash)),
                 SPAN_ARG(span_from(plain, slash + 1)));
    else
        buf_addf(&text, "HTTP@%s", r->host);
    bool good = import(buf_cstr(&text), GSS_C_NT_HOSTBASED_SERVICE, name, e);
    buf_free(&text);
    return good;
}

struct gss_handshake *gss_handshake_new(const struct gss_handshake_request *request, struct err *e)
{
    struct gss_handshake *h = mem_zero(sizeof *h);
    h->id = GSS_C_NO_CONTEXT;
    h->principal = h->service = GSS_C_NO_NAME;
    h->cred = request->cred->id;
    h->mech = mech_of(request->mech);
    h->workstation = mem_strdup(request->workstation);
    if (!import_service(request, &h->service, e) ||
        (request->principal &&
         !import(request->principal, (gss_OID)GSS_KRB5_NT_PRINCIPAL_NAME, &h->principal, e))) {
        gss_handshake_free(h);
        return NULL;
    }
    h->wanted = (request->mutual ? GSS_C_MUTUAL_FLAG : 0) |
                (request->principal && request->delegate ? GSS_C_DELEG_FLAG : 0);
    if (request->binding.n) {
        buf_add_str(&h->binding, "tls-server-end-point:");
        buf_add_span(&h->binding, request->binding);
    }
    return h;
}

enum gss_outcome gss_handshake_step(struct gss_handshake *h, struct span in, struct secret *out,
                                    struct err *e)
{
    OM_uint32 major, minor, ignored;
    gss_buffer_desc input = {in.n, (char *)in.p}, output = GSS_C_EMPTY_BUFFER;
    struct gss_channel_bindings_struct bindings = {0};
    bindings.application_data = (gss_buffer_desc){h->binding.n, h->binding.p};

    workstation_set(h->workstation);
    major = gss_init_sec_context(
        &minor, h->cred, &h->id, h->principal != GSS_C_NO_NAME ? h->principal : h->service, h->mech,
        h->wanted, GSS_C_INDEFINITE, h->binding.n ? &bindings : GSS_C_NO_CHANNEL_BINDINGS,
        in.n ? &input : GSS_C_NO_BUFFER, NULL, &output, &h->granted, NULL);
    workstation_set(NULL);
    h->complete = major == GSS_S_COMPLETE;
    if (output.length) {
        secret_set(out, span_make(output.value, output.length));
        secret_wipe(output.value, output.length);
    }
    gss_release_buffer(&ignored, &output);
    if (GSS_ERROR(major)) {
        gss_explain(e, h->mech == &oid_ntlm ? "NTLM failed" : "Negotiate failed", major, minor, h->mech);
        return GSS_FAILED;
    }
    return major & GSS_S_CONTINUE_NEEDED ? GSS_MORE : GSS_LAST;
}

bool gss_handshake_is_mutual(const struct gss_handshake *h)
{
    return h->wanted & GSS_C_MUTUAL_FLAG;
}

void gss_handshake_chose_ntlm(struct gss_handshake *h)
{
    OM_uint32 minor;
    h->wanted &= ~(OM_uint32)(GSS_C_MUTUAL_FLAG | GSS_C_DELEG_FLAG);
    if (h->principal != GSS_C_NO_NAME)
        gss_release_name(&minor, &h->principal);
}

bool gss_handshake_proved(const struct gss_handshake *h)
{
    return h->complete && gss_handshake_is_mutual(h) && h->granted & GSS_C_MUTUAL_FLAG;
}

void gss_handshake_free(struct gss_handshake *h)
{
    OM_uint32 minor;
    if (!h)
        return;
    if (h->id != GSS_C_NO_CONTEXT)
        gss_delete_sec_context(&minor, &h->id, GSS_C_NO_BUFFER);
    if (h->principal != GSS_C_NO_NAME)
        gss_release_name(&minor, &h->principal);
    if (h->service != GSS_C_NO_NAME)
        gss_release_name(&minor, &h->service);
    buf_free(&h->binding);
    free(h->workstation);
    free(h);
}
