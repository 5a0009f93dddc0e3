/*
 * Every length and offset of what a client sends, before gss-ntlmssp and libgssapi read it; the same care as ntlm_check.c and spnego_check.c take with what
 * a proxy sends. Messages that no program has reason to send (NTLM messages that belong to the other side, names
 * of no known letters) go no further.
 *
 *   first token of SPNEGO: [0x60 length, OID of SPNEGO] [0] SEQUENCE { [0] SEQUENCE OF OID mechTypes, [1] BIT STRING reqFlags,
 *                          [2] OCTET STRING mechToken, [3] mechListMIC or hints }        all but the first of them optional
 *   later ones:            [1] SEQUENCE { [0] ENUMERATED negState, [1] OID, [2] OCTET STRING responseToken, [3] OCTET STRING mechListMIC }
 */
#include "keys/accept_check.h"

#include "keys/ntlm_check.h"
#include "keys/token_inside.h"

enum {
    /* offsets in NTLM messages */
    AT_TYPE = 8,
    AT_NEGOTIATE_FLAGS = 12,
    AT_NEGOTIATE_DOMAIN = 16,
    AT_NEGOTIATE_WORKSTATION = 24,
    AT_LM = 12,
    AT_NT = 20,
    AT_DOMAIN = 28,
    AT_USER = 36,
    AT_WORKSTATION = 44,
    AT_KEY = 52,
    AT_FLAGS = 60,
    /* lengths of their fixed parts */
    LENGTH_NEGOTIATE = 32,
    LENGTH_AUTHENTICATE = 64,
    /* of an NTLMv2 answer: the proof, and what stands before the pairs */
    LENGTH_PROOF = 16,
    LENGTH_V2 = 44,
    LENGTH_V1 = 24,
};

#define NEGOTIATE_TYPE            1u
#define AUTHENTICATE_TYPE         3u
#define FLAG_UNICODE              0x00000001u
#define FLAG_OEM                  0x00000002u
#define FLAG_DOMAIN_SUPPLIED      0x00001000u
#define FLAG_WORKSTATION_SUPPLIED 0x00002000u
#define NAME_MOST                 512 /* bytes of a user's or domain's name */

enum {
    TAG_BITS = 0x03,
    TAG_OCTETS = 0x04,
    TAG_OID = 0x06,
    TAG_ENUMERATED = 0x0a,
    TAG_SEQUENCE = 0x30,
    TAG_FRAME = 0x60,
    TAG_FIELD = 0xa0, /* [0]; the others follow */
};

#define MECHANISMS_MOST 32
#define OID_SPNEGO      SPAN("\x2b\x06\x01\x05\x05\x02")
#define OID_KRB5        SPAN("\x2a\x86\x48\x86\xf7\x12\x01\x02\x02")
#define OID_KRB5_OLD    SPAN("\x2a\x86\x48\x82\xf7\x12\x01\x02\x02") /* as Windows 2000 spells it */

static bool refuse(const char **why, const char *text)
{
    *why = text;
    return false;
}

/* MS-NLMP section 2.2.1.1: the two names are in the code page of the client, and nobody reads them; but they must be there. */
static bool check_negotiate(struct span m, struct accept_token *token, const char **why)
{
    struct span name;
    if (m.n < LENGTH_NEGOTIATE)
        return refuse(why, "is an NTLM message that is cut short");
    uint32_t flags = token_u32(m, AT_NEGOTIATE_FLAGS);
    if (!(flags & (FLAG_UNICODE | FLAG_OEM)))
        return refuse(why, "is an NTLM message that offers no character set");
    token->oem = !(flags & FLAG_UNICODE);
    if ((flags & FLAG_DOMAIN_SUPPLIED && !token_buffer(m, AT_NEGOTIATE_DOMAIN, LENGTH_NEGOTIATE, &name)) ||
        (flags & FLAG_WORKSTATION_SUPPLIED &&
         !token_buffer(m, AT_NEGOTIATE_WORKSTATION, LENGTH_NEGOTIATE, &name)))
        return refuse(why, "is an NTLM message that points outside itself");
    return true;
}

/* UTF-16 without NUL, control characters and halves of pairs. */
static bool is_name(struct span s)
{
    if (s.n % 2 || s.n > NAME_MOST)
        return false;
    for (size_t i = 0; i < s.n; i += 2) {
        unsigned c = token_u16(s, i);
        bool high = c >= 0xd800 && c < 0xdc00;
        if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0xdc00 && c < 0xe000))
            return false;
        if (high && (i + 3 >= s.n || (token_u16(s, i + 2) & 0xfc00) != 0xdc00))
            return false;
        i += high ? 2 : 0;
    }
    return true;
}

/* Nobody can tell which code page it would be, beyond ASCII. */
static bool is_oem_name(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || (unsigned char)s.p[i] > 0x7e)
            return false;
    return s.n <= NAME_MOST;
}

/* MS-NLMP section 2.2.1.3 */
static bool check_authenticate(struct span m, bool oem, const char **why)
{
    static const size_t names[] = {AT_DOMAIN, AT_USER, AT_WORKSTATION};
    struct span lm, nt, key, name;
    if (m.n < LENGTH_AUTHENTICATE)
        return refuse(why, "is an NTLM message that is cut short");
    if (!token_buffer(m, AT_LM, LENGTH_AUTHENTICATE, &lm) ||
        !token_buffer(m, AT_NT, LENGTH_AUTHENTICATE, &nt) ||
        !token_buffer(m, AT_KEY, LENGTH_AUTHENTICATE, &key))
        return refuse(why, "is an NTLM message that points outside itself");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!token_buffer(m, names[i], LENGTH_AUTHENTICATE, &name))
            return refuse(why, "is an NTLM message that points outside itself");
        if (!(oem ? is_oem_name(name) : is_name(name)))
            return refuse(why, "is an NTLM message with a name that is not one");
    }
    if (lm.n > LENGTH_V1 || (key.n != 0 && key.n != LENGTH_PROOF))
        return refuse(why, "is an NTLM message with an answer of a wrong length");
    if (nt.n == 0 || nt.n == LENGTH_V1)
        return true;
    return nt.n > LENGTH_V2 ? token_check_pairs(span_from(nt, LENGTH_V2), why)
                            : refuse(why, "is an NTLM message with an answer of a wrong length");
}

static bool check_ntlm(struct span message, struct accept_token *token, const char **why)
{
    token->ntlm = message;
    if (message.n < AT_TYPE + 4)
        return refuse(why, "is an NTLM message that is cut short");
    switch (token_u32(message, AT_TYPE)) {
    case NEGOTIATE_TYPE:
        return check_negotiate(message, token, why);
    case AUTHENTICATE_TYPE:
        token->last = true;
        return check_authenticate(message, token->oem, why);
    default:
        return refuse(why, "is an NTLM message that clients do not send");
    }
}

/* The content of field [n] of a sequence, if that comes next; empty otherwise. false: lengths that do not fit. */
static bool take_field(struct span *fields, unsigned char n, unsigned char tag, struct span *value)
{
    struct span wrapped;
    *value = span_make(fields->p, 0);
    if (fields->n == 0 || (unsigned char)fields->p[0] != TAG_FIELD + n)
        return true;
    return token_take(fields, (unsigned char)(TAG_FIELD + n), &wrapped) &&
           (tag == 0 || (token_take(&wrapped, tag, value) && wrapped.n == 0));
}

static bool check_inner(struct span inner, struct accept_token *token, const char **why)
{
    return !ntlm_is_message(inner) || check_ntlm(inner, token, why);
}

static bool check_init(struct span body, struct accept_token *token, const char **why)
{
    static const char wrong[] = "is an SPNEGO token with lengths that do not fit";
    struct span whole, fields, mechs, flags, inner, mic, oid;
    token->form = TOKEN_INIT;
    if (!token_take(&body, TAG_FIELD, &whole) || body.n || !token_take(&whole, TAG_SEQUENCE, &fields) ||
        whole.n || !take_field(&fields, 0, TAG_SEQUENCE, &mechs) || mechs.n == 0 ||
        !take_field(&fields, 1, TAG_BITS, &flags) || !take_field(&fields, 2, TAG_OCTETS, &inner) ||
        !take_field(&fields, 3, 0, &mic) || fields.n)
        return refuse(why, wrong);
    for (unsigned n = 0; mechs.n; n++) {
        if (n == MECHANISMS_MOST || !token_take(&mechs, TAG_OID, &oid) || oid.n == 0)
            return refuse(why, "is an SPNEGO token whose mechanisms cannot be read");
        token->kerberos |= span_eq(oid, OID_KRB5) || span_eq(oid, OID_KRB5_OLD);
    }
    return check_inner(inner, token, why);
}

static bool check_response(struct span body, struct accept_token *token, const char **why)
{
    struct span fields, state, mech, inner, mic;
    token->form = TOKEN_RESPONSE;
    if (!token_take(&body, TAG_SEQUENCE, &fields) || body.n ||
        !take_field(&fields, 0, TAG_ENUMERATED, &state) || !take_field(&fields, 1, TAG_OID, &mech) ||
        !take_field(&fields, 2, TAG_OCTETS, &inner) || !take_field(&fields, 3, TAG_OCTETS, &mic) ||
        fields.n || state.n > 1)
        return refuse(why, "is an SPNEGO token with lengths that do not fit");
    return check_inner(inner, token, why);
}

bool accept_check(struct span bytes, bool oem, struct accept_token *token, const char **why)
{
    struct span content, oid, rest = bytes;
    *token = (struct accept_token){.form = TOKEN_NTLM, .oem = oem};
    if (ntlm_is_message(bytes))
        return check_ntlm(bytes, token, why);
    if (token_take(&rest, TAG_FIELD + 1, &content) && rest.n == 0)
        return check_response(content, token, why);
    rest = bytes;
    if (!token_take(&rest, TAG_FRAME, &content) || rest.n || !token_take(&content, TAG_OID, &oid))
        return refuse(why, "is neither SPNEGO nor NTLM nor Kerberos");
    if (span_eq(oid, OID_SPNEGO))
        return check_init(content, token, why);
    token->form = TOKEN_KERBEROS;
    token->kerberos = true;
    return span_eq(oid, OID_KRB5) || refuse(why, "is of a mechanism that was not offered");
}

void accept_claim_read(struct span message, struct accept_claim *claim)
{
    struct span nt = {0};
    *claim = (struct accept_claim){0};
    token_buffer(message, AT_DOMAIN, LENGTH_AUTHENTICATE, &claim->domain);
    token_buffer(message, AT_USER, LENGTH_AUTHENTICATE, &claim->user);
    token_buffer(message, AT_NT, LENGTH_AUTHENTICATE, &nt);
    claim->anonymous = claim->user.n == 0 || nt.n == 0;
    claim->old = nt.n == LENGTH_V1;
}
