/*
 * NTLM and SPNEGO bytes through our checks, and what they pass on into the real mechanisms: a crash there is a hole in the checks. The first byte
 * says how the rest reaches the library: as a token under the name Negotiate, as a challenge of raw NTLM, or as one wrapped in SPNEGO.
 * Needs no server and no network: the account is a made-up one, the ticket realm unset.
 */
#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <stdlib.h>

#include "base/buf.h"
#include "keys/ntlm_check.h"
#include "keys/ntlm_target.h"

enum { HOW_TOKEN, HOW_RAW, HOW_WRAPPED, HOWS };

static gss_OID_desc ntlm = {10, "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a"};
static gss_OID_desc spnego = {6, "\x2b\x06\x01\x05\x05\x02"};
static gss_cred_id_t ntlm_cred, spnego_cred;
static gss_name_t server;

static void need(OM_uint32 major)
{
    if (GSS_ERROR(major))
        abort();
}

static gss_buffer_desc text(const char *s)
{
    return (gss_buffer_desc){strlen(s), (void *)(uintptr_t)s};
}

static gss_cred_id_t acquire(gss_OID mechanism)
{
    OM_uint32 minor;
    gss_buffer_desc user = text("EXAMPLE\\alice"), password = text("not a real one");
    gss_OID_set_desc wanted = {1, mechanism}, only_ntlm = {1, &ntlm};
    gss_name_t name;
    gss_cred_id_t cred;
    need(gss_import_name(&minor, &user, GSS_C_NT_USER_NAME, &name));
    need(gss_acquire_cred_with_password(&minor, name, &password, 0, &wanted, GSS_C_INITIATE, &cred, NULL,
                                        NULL));
    if (mechanism == &spnego)
        need(gss_set_neg_mechs(&minor, cred, &only_ntlm));
    gss_release_name(&minor, &name);
    return cred;
}

/* The libraries keep a little for ever, and lose some on broken answers: not what is looked for here. */
const char *__asan_default_options(void); /* NOLINT: the sanitizer's name */
const char *__asan_default_options(void)  /* NOLINT */
{
    return "detect_leaks=0";
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    OM_uint32 minor;
    gss_buffer_desc service = text("HTTP@proxy.example");
    setenv("KRB5_CONFIG", "/dev/null", 1);
    setenv("KRB5CCNAME", "MEMORY:none", 1);
    setenv("NETBIOS_COMPUTER_NAME", "FUZZ", 1);
    need(gss_import_name(&minor, &service, GSS_C_NT_HOSTBASED_SERVICE, &server));
    ntlm_cred = acquire(&ntlm);
    spnego_cred = acquire(&spnego);
    return 0;
}

static OM_uint32 step(gss_ctx_id_t *context, gss_OID mechanism, OM_uint32 flags, struct span token)
{
    OM_uint32 minor, major;
    gss_buffer_desc in = {token.n, (void *)(uintptr_t)token.p}, out = GSS_C_EMPTY_BUFFER;
    major = gss_init_sec_context(&minor, mechanism == &ntlm ? ntlm_cred : spnego_cred, context, server,
                                 mechanism, flags, 0, GSS_C_NO_CHANNEL_BINDINGS, &in, NULL, &out, NULL, NULL);
    gss_release_buffer(&minor, &out);
    return major;
}

static void try_mechanism(gss_OID mechanism, OM_uint32 flags, struct span token)
{
    OM_uint32 minor;
    gss_ctx_id_t context = GSS_C_NO_CONTEXT;
    if (step(&context, mechanism, flags, SPAN("")) == GSS_S_CONTINUE_NEEDED &&
        step(&context, mechanism, flags, token) == GSS_S_CONTINUE_NEEDED)
        step(&context, mechanism, flags, token); /* the same once more, where an end is due */
    gss_delete_sec_context(&minor, &context, GSS_C_NO_BUFFER);
}

static void add_length(struct buf *b, unsigned char tag, size_t n)
{
    unsigned char head[] = {tag, 0x82, (unsigned char)(n >> 8), (unsigned char)n};
    buf_add(b, head, sizeof head);
}

/* NegTokenResp: accept-incomplete, NTLM, the challenge */
static void wrap(struct buf *out, struct span challenge)
{
    static const char front[] =
        "\xa0\x03\x0a\x01\x01\xa1\x0c\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a";
    size_t fields = sizeof front - 1 + 8 + challenge.n;
    add_length(out, 0xa1, fields + 4);
    add_length(out, 0x30, fields);
    buf_add(out, front, sizeof front - 1);
    add_length(out, 0xa2, challenge.n + 4);
    add_length(out, 0x04, challenge.n);
    buf_add_span(out, challenge);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 60000)
        return 0;
    const char *why = NULL;
    struct span rest = span_make((const char *)data + 1, size - 1);
    OM_uint32 flags = data[0] & 0x80 ? GSS_C_INTEG_FLAG : 0;
    struct buf token = {0};
    switch (data[0] % HOWS) {
    case HOW_TOKEN:
        buf_add_span(&token, rest);
        break;
    default:
        buf_add_span(&token, SPAN("NTLMSSP\0\2\0\0"));
        buf_add(&token, "", 1);
        buf_add_span(&token, rest);
    }
    struct span challenge = buf_span(&token);
    if (data[0] % HOWS == HOW_RAW && ntlm_check_challenge(challenge, &why)) {
        struct ntlm_target target;
        ntlm_target_read(&target, challenge);
        ntlm_target_free(&target);
        try_mechanism(&ntlm, flags, challenge);
    }
    struct buf wrapped = {0};
    if (data[0] % HOWS == HOW_WRAPPED) {
        wrap(&wrapped, challenge);
        challenge = buf_span(&wrapped);
    }
    if (data[0] % HOWS != HOW_RAW && spnego_check_response(challenge, &why))
        try_mechanism(&spnego, flags, challenge);
    buf_free(&token);
    buf_free(&wrapped);
    return 0;
}
