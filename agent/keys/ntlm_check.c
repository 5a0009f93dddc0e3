/*
 * NTLM challenges (MS-NLMP section 2.2.1.2) looked at before gss-ntlmssp reads them. Every proxy can send
 * these bytes, and version 1.2.0 of that library dies on some and loses memory on others:
 *
 *   - the flags promise a target name in Unicode, its length is 0: a write through NULL;
 *   - the same name stands twice in the target info: the first copy is never freed, 64 KiB for each
 * challenge.
 *
 * The rest of the checks asks for what the document asks for: every promised buffer inside the message, the
 * target info a list of pairs that ends. Nothing is copied or kept. Pure; any thread.
 */
#include "keys/ntlm_check.h"

#include "keys/token_inside.h"

enum {
    /* offsets in the message */
    AT_TYPE = 8,
    AT_TARGET_NAME = 12,
    AT_FLAGS = 20,
    AT_TARGET_INFO = 40,
    /* lengths of the fixed part: of servers before Windows 2000, without a version, with one */
    LENGTH_OLD = 32,
    LENGTH_SHORT = 48,
    LENGTH_FULL = 56,
};

#define CHALLENGE_TYPE       2u
#define FLAG_UNICODE         0x00000001u
#define FLAG_TARGET_IS_KNOWN 0x00030000u /* NTLMSSP_TARGET_TYPE_DOMAIN or _SERVER: there is a target name */
#define FLAG_TARGET_INFO     0x00800000u
#define FLAG_VERSION         0x02000000u

/* MS-NLMP section 2.2.2.1. length: NAME is UTF-16, that is even; ANY is for others; else exact. */
enum { NAME = -2, ANY = -1 };
static const int av_length[] = {
    [0] = 0,    /* MsvAvEOL */
    [1] = NAME, /* MsvAvNbComputerName */
    [2] = NAME, /* MsvAvNbDomainName */
    [3] = NAME, /* MsvAvDnsComputerName */
    [4] = NAME, /* MsvAvDnsDomainName */
    [5] = NAME, /* MsvAvDnsTreeName */
    [6] = 4,    /* MsvAvFlags */
    [7] = 8,    /* MsvAvTimestamp */
    [8] = ANY,  /* MsvAvSingleHost */
    [9] = NAME, /* MsvAvTargetName */
    [10] = 16,  /* MsvAvChannelBindings */
};
#define AV_KNOWN (sizeof av_length / sizeof *av_length)

static unsigned u16_at(struct span s, size_t at)
{
    return (unsigned char)s.p[at] | (unsigned)(unsigned char)s.p[at + 1] << 8;
}

static uint32_t u32_at(struct span s, size_t at)
{
    return u16_at(s, at) | (uint32_t)u16_at(s, at + 2) << 16;
}

static bool refuse(const char **why, const char *text)
{
    *why = text;
    return false;
}

bool ntlm_is_message(struct span token)
{
    return span_starts(token, SPAN("NTLMSSP\0"));
}

/* The bytes that the security buffer at `at` points to; they lie behind the fixed part. An empty one may
 * point anywhere. */
static bool security_buffer(struct span message, size_t at, size_t fixed, struct span *bytes)
{
    size_t length = u16_at(message, at);
    size_t offset = u32_at(message, at + 4);
    *bytes = span_make(message.p, 0);
    if (length == 0)
        return true;
    if (offset < fixed || offset > message.n || length > message.n - offset)
        return false;
    *bytes = span_make(message.p + offset, length);
    return true;
}

static bool check_av_pairs(struct span info, const char **why)
{
    bool seen[AV_KNOWN] = {false};
    while (info.n >= 4) {
        unsigned id = u16_at(info, 0);
        unsigned length = u16_at(info, 2);
        info = span_from(info, 4);
        if (length > info.n)
            return refuse(why, "holds a target info entry that is longer than the target info");
        info = span_from(info, length);
        if (id >= AV_KNOWN)
            continue;
        int wanted = av_length[id];
        if (wanted == NAME ? length % 2 != 0 : wanted != ANY && length != (unsigned)wanted)
            return refuse(why, "holds a target info entry of a wrong length");
        if (id == 0)
            return true; /* some servers fill up behind the end */
        if (seen[id])
            return refuse(why, "holds the same target info entry twice");
        seen[id] = true;
    }
    return refuse(why, "holds a target info without an end");
}

bool ntlm_check_challenge(struct span message, const char **why)
{
    if (!ntlm_is_message(message))
        return refuse(why, "is not an NTLM message");
    if (message.n < LENGTH_OLD)
        return refuse(why, "is cut short");
    if (u32_at(message, AT_TYPE) != CHALLENGE_TYPE)
        return refuse(why, "is an NTLM message of another type");
    uint32_t flags = u32_at(message, AT_FLAGS);
    bool old = message.n == LENGTH_OLD;
    size_t fixed = old ? LENGTH_OLD : flags & FLAG_VERSION ? LENGTH_FULL : LENGTH_SHORT;
    if (message.n < fixed)
        return refuse(why, "is cut short");

    struct span name, info;
    if (flags & FLAG_TARGET_IS_KNOWN) {
        if (!security_buffer(message, AT_TARGET_NAME, fixed, &name))
            return refuse(why, "points outside itself for its target name");
        if (flags & FLAG_UNICODE && (name.n == 0 || name.n % 2 != 0))
            return refuse(why, name.n ? "holds a target name that is not UTF-16"
                                      : "promises a target name and holds an empty one");
    }
    if (!(flags & FLAG_TARGET_INFO))
        return true;
    if (old)
        return refuse(why, "promises a target info and is too short for one");
    if (!security_buffer(message, AT_TARGET_INFO, fixed, &info))
        return refuse(why, "points outside itself for its target info");
    return info.n == 0 || check_av_pairs(info, why);
}

bool token_buffer(struct span message, size_t at, size_t fixed, struct span *bytes)
{
    return security_buffer(message, at, fixed, bytes);
}

bool token_check_pairs(struct span info, const char **why)
{
    return check_av_pairs(info, why);
}
