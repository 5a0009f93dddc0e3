/*
 * The home of gssapi on the server side (its words: gss_words.c). Kerberos takes any key of HTTP/ in the keytab, whatever the host is called there, and nothing else that may be
 * in it (host/, cifs/): tickets for those are not meant for a proxy. Used tokens are noted in a file of our own, not where everybody may write.
 * gss-ntlmssp is told where its accounts are, what the domain is called and that NTLM of before version 2 is not taken, by variables that only the calling
 * thread sees (workstation.h): each gateway may have its own.
 */
#include "keys/accept_gss.h"

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <gssapi/gssapi_ntlmssp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "keys/gss_words.h"
#include "keys/workstation.h"

static gss_OID_desc oid_spnego = {6, "\x2b\x06\x01\x05\x05\x02"};
static gss_OID_desc oid_krb5 = {9, "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"};
static gss_OID_desc oid_ntlm = {GSS_NTLMSSP_OID_LENGTH, GSS_NTLMSSP_OID_STRING};

/* Names that stand for nobody in particular (RFC 6111), the anonymous one among them. */
#define NOBODY SPAN("WELLKNOWN/")

struct gss_door {
    atomic_uint refs;
    gss_cred_id_t cred;
    char *domain;
    bool takes_tickets;
};

struct gss_entry {
    struct gss_door *door;
    gss_ctx_id_t id;
    struct buf binding;
};

static bool same_oid(gss_OID a, const gss_OID_desc *b)
{
    return a && a->length == b->length && memcmp(a->elements, b->elements, a->length) == 0;
}

struct surroundings {
    struct environment_row rows[5];
};

/* For this thread, until leave. Whom the file does not name gss-ntlmssp looks for with winbind's library, which keeps away from a running winbind where
   _NO_WINBINDD says so. */
static void enter(struct surroundings *s, const char *domain, const char *accounts)
{
    size_t n = 0;
    s->rows[n++] = (struct environment_row){"NTLM_USER_FILE", accounts};
    s->rows[n++] = (struct environment_row){"_NO_WINBINDD", accounts ? "1" : NULL};
    s->rows[n++] = (struct environment_row){"LM_COMPAT_LEVEL", "5"};
    if (domain)
        s->rows[n++] = (struct environment_row){"NETBIOS_DOMAIN_NAME", domain};
    s->rows[n] = (struct environment_row){NULL, NULL};
    environment_lend(s->rows);
}

static void leave(void)
{
    environment_lend(NULL);
}

static OM_uint32 acquire_kerberos(const struct gss_door_wish *wish, gss_OID_set mechs, gss_cred_id_t *id,
                                  OM_uint32 *minor)
{
    OM_uint32 ignored;
    gss_key_value_element_desc elements[2];
    gss_key_value_set_desc store = {0, elements};
    gss_buffer_desc text = {strlen("HTTP"), "HTTP"};
    gss_name_t name = GSS_C_NO_NAME;
    if (wish->replays)
        elements[store.count++] = (gss_key_value_element_desc){"rcache", wish->replays};
    if (wish->keytab)
        elements[store.count++] = (gss_key_value_element_desc){"keytab", wish->keytab};
    OM_uint32 major = gss_import_name(minor, &text, GSS_C_NT_HOSTBASED_SERVICE, &name);
    if (!GSS_ERROR(major))
        major = gss_acquire_cred_from(minor, name, GSS_C_INDEFINITE, mechs, GSS_C_ACCEPT,
                                      store.count ? &store : GSS_C_NO_CRED_STORE, id, NULL, NULL);
    gss_release_name(&ignored, &name);
    return major;
}

/* gss-ntlmssp 1.2.0 cannot take a store, and puts a name into its challenges that clients refuse. */
static OM_uint32 acquire_from(const struct gss_door_wish *wish, gss_OID_set mechs, gss_cred_id_t *id,
                              OM_uint32 *minor)
{
    return same_oid(mechs->elements, &oid_krb5) ? acquire_kerberos(wish, mechs, id, minor)
                                                : gss_acquire_cred(minor, GSS_C_NO_NAME, GSS_C_INDEFINITE,
                                                                   mechs, GSS_C_ACCEPT, id, NULL, NULL);
}

/* The mechanism by itself, and inside SPNEGO and alone there: else SPNEGO would take whatever finds a credential. */
static bool acquire(const struct gss_door_wish *wish, gss_OID mech, gss_cred_id_t *id, struct err *e)
{
    OM_uint32 minor, ignored;
    gss_OID_desc mechs[2] = {*mech, oid_spnego};
    gss_OID_set_desc both = {2, mechs}, one = {1, mech};
    OM_uint32 major = acquire_from(wish, &one, id, &minor);
    if (!GSS_ERROR(major) && wish->negotiate) { /* which by itself would also do with only the other half */
        gss_release_cred(&ignored, id);
        major = acquire_from(wish, &both, id, &minor);
    }
    if (!GSS_ERROR(major) && wish->negotiate)
        major = gss_set_neg_mechs(&minor, *id, &one);
    if (!GSS_ERROR(major))
        return true;
    gss_explain(e, mech == &oid_krb5 ? "Kerberos cannot be accepted" : "NTLM cannot be accepted", major,
                minor, mech);
    gss_release_cred(&ignored, id);
    *id = GSS_C_NO_CREDENTIAL;
    return false;
}

struct gss_door *gss_door_new(const struct gss_door_wish *wish, struct err *e)
{
    struct surroundings around;
    gss_cred_id_t cred = GSS_C_NO_CREDENTIAL;
    enter(&around, wish->domain, NULL);
    bool good = acquire(wish, wish->kerberos ? &oid_krb5 : &oid_ntlm, &cred, e);
    leave();
    if (!good)
        return NULL;
    struct gss_door *d = mem_zero(sizeof *d);
    atomic_init(&d->refs, 1);
    d->cred = cred;
    d->domain = mem_strdup(wish->domain);
    d->takes_tickets = wish->kerberos && wish->takes_tickets;
    return d;
}

struct gss_door *gss_door_ref(struct gss_door *d)
{
    atomic_fetch_add(&d->refs, 1);
    return d;
}

void gss_door_unref(struct gss_door *d)
{
    OM_uint32 minor;
    if (!d || atomic_fetch_sub(&d->refs, 1) != 1)
        return;
    gss_release_cred(&minor, &d->cred);
    free(d->domain);
    free(d);
}

struct gss_entry *gss_entry_new(struct gss_door *door, struct span binding)
{
    struct gss_entry *entry = mem_zero(sizeof *entry);
    entry->door = gss_door_ref(door);
    entry->id = GSS_C_NO_CONTEXT;
    if (binding.n) {
        buf_add_str(&entry->binding, "tls-server-end-point:");
        buf_add_span(&entry->binding, binding);
    }
    return entry;
}

/* Which mechanism it was in the end. NULL: it does not say. */
static gss_OID mechanism_of(gss_ctx_id_t id)
{
    OM_uint32 minor;
    gss_OID mech = GSS_C_NO_OID;
    gss_inquire_context(&minor, id, NULL, NULL, NULL, &mech, NULL, NULL, NULL);
    return mech;
}

static bool read_name(gss_name_t name, struct gss_entry_who *who, struct err *e)
{
    OM_uint32 minor, ignored;
    gss_OID form = GSS_C_NO_OID;
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    OM_uint32 major = gss_display_name(&minor, name, &text, &form);
    if (GSS_ERROR(major)) {
        gss_explain(e, "the client's name cannot be read", major, minor, GSS_C_NO_OID);
        return false;
    }
    struct span bytes = span_make(text.value, text.length);
    bytes = span_head(bytes, span_find(bytes, '\0')); /* gss-ntlmssp counts the NUL */
    who->name = span_dup(bytes);
    who->nobody |= bytes.n == 0 || same_oid(form, GSS_C_NT_ANONYMOUS) || span_starts(bytes, NOBODY);
    gss_release_buffer(&ignored, &text);
    return true;
}

/* What the client handed on, into a memory cache of its own. */
static void keep_ticket(gss_cred_id_t given, struct gss_entry_who *who)
{
    static atomic_uint serial;
    OM_uint32 minor;
    struct buf cache = {0};
    buf_addf(&cache, "MEMORY:exeat-handed-%u", atomic_fetch_add(&serial, 1));
    gss_key_value_element_desc element = {"ccache", buf_cstr(&cache)};
    gss_key_value_set_desc store = {1, &element};
    if (!GSS_ERROR(gss_store_cred_into(&minor, given, GSS_C_INITIATE, &oid_krb5, 1, 0, &store, NULL, NULL)))
        who->cache = mem_strdup(buf_cstr(&cache));
    buf_free(&cache);
}

/* Whether the realm that vouches for the client is the one that our own key is of. */
static bool is_at_home(gss_ctx_id_t id, const char *client)
{
    OM_uint32 minor;
    gss_name_t ours = GSS_C_NO_NAME;
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    bool same = false;
    if (!GSS_ERROR(gss_inquire_context(&minor, id, NULL, &ours, NULL, NULL, NULL, NULL, NULL)) &&
        ours != GSS_C_NO_NAME && !GSS_ERROR(gss_display_name(&minor, ours, &text, NULL))) {
        struct span service = span_make(text.value, text.length), user = span_str(client);
        size_t at = span_rfind(service, '@'), its = span_rfind(user, '@');
        same = at < service.n && its < user.n && span_eq(span_from(service, at), span_from(user, its));
        gss_release_buffer(&minor, &text);
    }
    if (ours != GSS_C_NO_NAME)
        gss_release_name(&minor, &ours);
    return same;
}

enum gss_entry_outcome gss_entry_step(struct gss_entry *entry, struct span in, const char *accounts,
                                      struct buf *out, struct gss_entry_who *who, struct err *e)
{
    OM_uint32 minor, ignored, flags = 0, lifetime = 0;
    struct surroundings around;
    gss_name_t name = GSS_C_NO_NAME;
    gss_cred_id_t given = GSS_C_NO_CREDENTIAL;
    gss_buffer_desc input = {in.n, (char *)in.p}, output = GSS_C_EMPTY_BUFFER;
    struct gss_channel_bindings_struct bindings = {0};
    bindings.application_data = (gss_buffer_desc){entry->binding.n, entry->binding.p};

    *who = (struct gss_entry_who){0};
    enter(&around, entry->door->domain, accounts);
    OM_uint32 major =
        gss_accept_sec_context(&minor, &entry->id, entry->door->cred, &input,
                               entry->binding.n ? &bindings : GSS_C_NO_CHANNEL_BINDINGS, &name, NULL, &output,
                               &flags, &lifetime, entry->door->takes_tickets ? &given : NULL);
    leave();
    if (!GSS_ERROR(major))
        buf_add(out, output.value, output.length);
    gss_release_buffer(&ignored, &output);
    enum gss_entry_outcome outcome = major == GSS_S_COMPLETE ? GSS_ENTRY_IN : GSS_ENTRY_MORE;
    if (GSS_ERROR(major)) {
        gss_explain(e, "the handshake failed", major, minor, GSS_C_NO_OID);
        outcome = !accounts && GSS_ROUTINE_ERROR(major) == GSS_S_FAILURE ? GSS_ENTRY_UNSAID : GSS_ENTRY_NO;
    } else if (outcome == GSS_ENTRY_IN) {
        who->kerberos = same_oid(mechanism_of(entry->id), &oid_krb5);
        who->nobody = flags & GSS_C_ANON_FLAG;
        who->lifetime = lifetime == GSS_C_INDEFINITE ? 0 : lifetime;
        outcome = read_name(name, who, e) ? GSS_ENTRY_IN : GSS_ENTRY_NO;
        who->at_home = who->kerberos && who->name && is_at_home(entry->id, who->name);
        if (given != GSS_C_NO_CREDENTIAL)
            keep_ticket(given, who);
    }
    if (given != GSS_C_NO_CREDENTIAL)
        gss_release_cred(&ignored, &given);
    if (name != GSS_C_NO_NAME)
        gss_release_name(&ignored, &name);
    return outcome;
}

void gss_entry_free(struct gss_entry *entry)
{
    OM_uint32 minor;
    if (!entry)
        return;
    if (entry->id != GSS_C_NO_CONTEXT)
        gss_delete_sec_context(&minor, &entry->id, GSS_C_NO_BUFFER);
    gss_door_unref(entry->door);
    buf_free(&entry->binding);
    free(entry);
}
