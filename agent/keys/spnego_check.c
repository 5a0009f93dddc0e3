/*
 * SPNEGO answers (RFC 4178 section 4.2.2) walked before libgssapi reads them: DER lengths that fit, each
 * field at most once and in its order, a mechanism that we can have offered, and no NTLM challenge inside
 * that ntlm_check refuses. NegoEx, whose parser had holes, is so kept out.
 *
 *   [ 0x60 length, OID of SPNEGO ]                             some servers frame every token (RFC 2743
 * section 3.1) NegTokenResp ::= [1] SEQUENCE { [0] ENUMERATED negState, [1] OID supportedMech, [2] OCTET
 * STRING responseToken, [3] OCTET STRING mechListMIC }                                      all of them
 * optional
 *
 * Lengths may have more bytes than needed, as Windows writes them; never the indefinite form. The depth is
 * fixed: no recursion. Pure; any thread.
 */
#include "keys/ntlm_check.h"

#include "keys/token_inside.h"

enum {
    TAG_OCTET_STRING = 0x04,
    TAG_OID = 0x06,
    TAG_ENUMERATED = 0x0a,
    TAG_SEQUENCE = 0x30,
    TAG_GSS_FRAME = 0x60,
    TAG_RESPONSE = 0xa1,
    TAG_FIELD = 0xa0, /* [0]; the others follow */
    FIELDS = 4,
};

#define NEG_STATES 4 /* accept-completed, accept-incomplete, reject, request-mic */

#define OID_SPNEGO SPAN("\x2b\x06\x01\x05\x05\x02")
#define OID_KRB5   SPAN("\x2a\x86\x48\x86\xf7\x12\x01\x02\x02")
#define OID_NTLM   SPAN("\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a")

/* Kerberos, Kerberos as Windows 2000 spells it, Kerberos of the drafts, NTLM. */
static const struct span mechanisms[] = {
    {"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02", 9},
    {"\x2a\x86\x48\x82\xf7\x12\x01\x02\x02", 9},
    {"\x2b\x05\x01\x05\x02", 5},
    {"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a", 10},
};

static const unsigned char field_type[FIELDS] = {TAG_ENUMERATED, TAG_OID, TAG_OCTET_STRING, TAG_OCTET_STRING};

static bool refuse(const char **why, const char *text)
{
    *why = text;
    return false;
}

/* Takes one element of this tag off the front; its content. false: another tag, or a length that does not
 * fit. */
static bool take(struct span *rest, unsigned char tag, struct span *content)
{
    if (rest->n < 2 || (unsigned char)rest->p[0] != tag)
        return false;
    size_t length = (unsigned char)rest->p[1];
    size_t at = 2;
    if (length >= 0x80) {
        size_t bytes = length & 0x7f;
        if (bytes < 1 || bytes > 4 || bytes > rest->n - at)
            return false;
        for (length = 0; bytes; bytes--)
            length = length << 8 | (unsigned char)rest->p[at++];
    }
    if (length > rest->n - at)
        return false;
    *content = span_make(rest->p + at, length);
    *rest = span_from(*rest, at + length);
    return true;
}

/* The same where nothing may stand behind it. */
static bool take_all(struct span whole, unsigned char tag, struct span *content)
{
    return take(&whole, tag, content) && whole.n == 0;
}

static bool known_mechanism(struct span oid)
{
    for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++)
        if (span_eq(oid, mechanisms[i]))
            return true;
    return false;
}

static bool check_field(size_t field, struct span value, const char **why)
{
    switch (field) {
    case 0:
        return (value.n == 1 && (unsigned char)value.p[0] < NEG_STATES) ||
               refuse(why, "has a negotiation state that does not exist");
    case 1:
        return known_mechanism(value) || refuse(why, "chooses a mechanism that we did not offer");
    case 2:
        return !ntlm_is_message(value) || ntlm_check_challenge(value, why);
    default:
        return true; /* the mechListMIC: bytes for the mechanism alone */
    }
}

static void take_field(struct spnego_answer *out, size_t field, struct span value)
{
    switch (field) {
    case 0:
        out->state = (unsigned char)value.p[0];
        break;
    case 1:
        out->mechanism = value;
        out->ntlm = span_eq(value, OID_NTLM);
        break;
    case 2:
        out->token = value;
        break;
    default:
        out->mic = value;
    }
}

static bool read_fields(struct span token, struct spnego_answer *out, const char **why)
{
    struct span response, fields;
    if (!take_all(token, TAG_RESPONSE, &response) || !take_all(response, TAG_SEQUENCE, &fields))
        return refuse(why, "is neither an SPNEGO answer nor an NTLM message");
    for (size_t field = 0; field < FIELDS; field++) {
        struct span wrapped, value;
        if (fields.n == 0 || (unsigned char)fields.p[0] != TAG_FIELD + field)
            continue;
        if (!take(&fields, (unsigned char)(TAG_FIELD + field), &wrapped) ||
            !take_all(wrapped, field_type[field], &value))
            return refuse(why, "is an SPNEGO answer with lengths that do not fit");
        if (!check_field(field, value, why))
            return false;
        take_field(out, field, value);
    }
    return fields.n == 0 || refuse(why, "is an SPNEGO answer with fields that do not belong there");
}

bool spnego_read_response(struct span token, struct spnego_answer *out, const char **why)
{
    *out = (struct spnego_answer){.state = SPNEGO_SILENT};
    if (ntlm_is_message(token))
        return ntlm_check_challenge(token, why);
    if (token.n == 0)
        return refuse(why, "is empty");
    if ((unsigned char)token.p[0] != TAG_GSS_FRAME)
        return read_fields(token, out, why);
    struct span frame, oid;
    if (!take_all(token, TAG_GSS_FRAME, &frame) || !take(&frame, TAG_OID, &oid))
        return refuse(why, "is a token whose frame does not fit");
    if (span_eq(oid, OID_SPNEGO))
        return read_fields(frame, out, why);
    if (!span_eq(oid, OID_KRB5))
        return refuse(why, "is a token of a mechanism that we did not offer");
    return true;
}

bool spnego_check_response(struct span token, const char **why)
{
    struct spnego_answer answer;
    return spnego_read_response(token, &answer, why);
}

bool token_take(struct span *rest, unsigned char tag, struct span *content)
{
    return take(rest, tag, content);
}
