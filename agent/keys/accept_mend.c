/*
 * MS-NLMP sections 2.2.1.1 and 2.2.1.3 have eight bytes of version at the end of the fixed part, and nothing in the messages says whether they are there:
 * programs that know no version leave them out. gss-ntlmssp wants a NEGOTIATE_MESSAGE that has room for them. It also reads the flag for "with a version" in
 * an AUTHENTICATE_MESSAGE as a promise that the payload begins behind it, where curl merely repeats the flags of the challenge.
 */
#include "keys/accept_mend.h"

#include "keys/token_inside.h"

enum {
    WITH_VERSION_1 = 40, /* length of the fixed part of a NEGOTIATE_MESSAGE */
    WITH_VERSION_3 = 72, /* of an AUTHENTICATE_MESSAGE */
    AT_FIRST_FIELD = 12,
    AT_FLAGS = 60,
    FIELD = 8, /* length, room, offset */
};

#define FLAG_VERSION_HIGH 0x02 /* NTLMSSP_NEGOTIATE_VERSION, 0x02000000, in the last byte of the flags */

static bool has_no_version(struct span m)
{
    for (size_t at = AT_FIRST_FIELD; at < AT_FLAGS; at += FIELD)
        if (token_u16(m, at) && token_u32(m, at + 4) < WITH_VERSION_3)
            return true;
    return false;
}

bool accept_mend(struct buf *bytes, struct accept_token *token)
{
    static const char version[WITH_VERSION_1];
    bool longer = token->form == TOKEN_NTLM && !token->last && bytes->n < WITH_VERSION_1;
    if (token->form != TOKEN_NTLM)
        return false;
    if (longer)
        buf_add(bytes, version, WITH_VERSION_1 - bytes->n);
    else if (token->last && has_no_version(buf_span(bytes)))
        bytes->p[AT_FLAGS + 3] &= ~FLAG_VERSION_HIGH;
    token->ntlm = buf_span(bytes);
    return longer;
}
