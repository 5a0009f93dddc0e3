/*
 * Where the ticket is:
 *
 *   Kerberos by itself (RFC 4121 section 4.1):  [0x60 length, OID of Kerberos, 01 00] AP-REQ
 *   inside SPNEGO (RFC 4178 section 4.2):       the mechToken of the first token, or the responseToken of a later one, is such a token
 *   AP-REQ (RFC 4120 section 5.5.1):            [APPLICATION 14] SEQUENCE { [0] pvno, [1] msg-type, [2] ap-options, [3] Ticket, ... }
 */
#include "keys/accept_evidence.h"

#include "keys/token_inside.h"

enum {
    TAG_OCTETS = 0x04,
    TAG_OID = 0x06,
    TAG_SEQUENCE = 0x30,
    TAG_FRAME = 0x60,
    TAG_TICKET = 0x61,
    TAG_AP_REQ = 0x6e,
    TAG_FIELD = 0xa0, /* [0]; the others follow */
};

#define OID_SPNEGO   SPAN("\x2b\x06\x01\x05\x05\x02")
#define OID_KRB5     SPAN("\x2a\x86\x48\x86\xf7\x12\x01\x02\x02")
#define OID_KRB5_OLD SPAN("\x2a\x86\x48\x82\xf7\x12\x01\x02\x02") /* as Windows 2000 spells it */
#define AP_REQ_ID    SPAN("\x01\x00")

/* The content of the first of these fields that has this number. */
static bool find_field(struct span fields, unsigned char n, struct span *content)
{
    while (fields.n) {
        unsigned char tag = (unsigned char)fields.p[0];
        if (tag < TAG_FIELD || !token_take(&fields, tag, content))
            return false;
        if (tag == TAG_FIELD + n)
            return true;
    }
    return false;
}

static struct span ticket_of(struct span request)
{
    struct span fields, wrapped, content;
    if (!token_take(&request, TAG_AP_REQ, &fields) || !token_take(&fields, TAG_SEQUENCE, &content) ||
        !find_field(content, 3, &wrapped))
        return SPAN("");
    struct span ticket = wrapped;
    bool good = token_take(&wrapped, TAG_TICKET, &content) && wrapped.n == 0;
    return good ? ticket : SPAN("");
}

/* What SPNEGO wraps: field [2] of its sequence, in the first token and in later ones alike. */
static struct span unwrap(struct span body)
{
    struct span fields, wrapped, inner;
    bool good = token_take(&body, TAG_SEQUENCE, &fields) && find_field(fields, 2, &wrapped) &&
                token_take(&wrapped, TAG_OCTETS, &inner);
    return good ? inner : SPAN("");
}

static struct span of_kerberos(struct span token)
{
    struct span content, oid;
    if (!token_take(&token, TAG_FRAME, &content) || !token_take(&content, TAG_OID, &oid) ||
        !(span_eq(oid, OID_KRB5) || span_eq(oid, OID_KRB5_OLD)) || !span_starts(content, AP_REQ_ID))
        return SPAN("");
    return ticket_of(span_from(content, AP_REQ_ID.n));
}

struct span accept_evidence(struct span token)
{
    struct span rest = token, content, oid, first;
    if (token_take(&rest, TAG_FIELD + 1, &content))
        return of_kerberos(unwrap(content));
    rest = token;
    if (token_take(&rest, TAG_FRAME, &content) && token_take(&content, TAG_OID, &oid) &&
        span_eq(oid, OID_SPNEGO) && token_take(&content, TAG_FIELD, &first))
        return of_kerberos(unwrap(first));
    return of_kerberos(token);
}
