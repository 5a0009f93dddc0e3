/*
 * The target information of NTLM challenges, read for people after ntlm_check.c has found every length sound.
 */
#include "keys/ntlm_target.h"

#define AT_TARGET_NAME       12
#define AT_FLAGS             20
#define AT_TARGET_INFO       40
#define FLAG_UNICODE         0x00000001u
#define FLAG_TARGET_INFO     0x00800000u
#define FLAG_TARGET_IS_KNOWN 0x00030000u /* else its place in the message has not been checked */
#define NAME_MOST            512         /* bytes of a name that is shown */

enum { AV_END, AV_NB_COMPUTER, AV_NB_DOMAIN, AV_DNS_COMPUTER, AV_DNS_DOMAIN, AV_TIME = 7 };

#define FILETIME_SECOND 10000000u
#define FILETIME_1970   11644473600 /* seconds between 1601 and 1970 */

static unsigned byte_at(struct span s, size_t at)
{
    return (unsigned char)s.p[at];
}

static uint32_t u16_at(struct span s, size_t at)
{
    return byte_at(s, at) | byte_at(s, at + 1) << 8;
}

static uint32_t u32_at(struct span s, size_t at)
{
    return u16_at(s, at) | u16_at(s, at + 2) << 16;
}

static struct span buffer_at(struct span message, size_t at)
{
    size_t n = u16_at(message, at), offset = u32_at(message, at + 4);
    return n ? span_make(message.p + offset, n) : span_make(message.p, 0);
}

static void add_character(struct buf *out, uint32_t c)
{
    if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0xd800 && c < 0xe000))
        buf_add_str(out, "?");
    else if (c < 0x80)
        buf_addf(out, "%c", (int)c);
    else if (c < 0x800)
        buf_addf(out, "%c%c", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 0x3f)));
    else if (c < 0x10000)
        buf_addf(out, "%c%c%c", (int)(0xe0 | c >> 12), (int)(0x80 | (c >> 6 & 0x3f)),
                 (int)(0x80 | (c & 0x3f)));
    else
        buf_addf(out, "%c%c%c%c", (int)(0xf0 | c >> 18), (int)(0x80 | (c >> 12 & 0x3f)),
                 (int)(0x80 | (c >> 6 & 0x3f)), (int)(0x80 | (c & 0x3f)));
}

static void set_utf16(struct buf *out, struct span s)
{
    buf_clear(out);
    s = span_head(s, NAME_MOST);
    for (size_t i = 0; i + 1 < s.n; i += 2) {
        uint32_t c = u16_at(s, i);
        if (c >= 0xd800 && c < 0xdc00 && i + 3 < s.n && (u16_at(s, i + 2) & 0xfc00) == 0xdc00) {
            c = 0x10000 + ((c & 0x3ff) << 10) + (u16_at(s, i + 2) & 0x3ff);
            i += 2;
        }
        add_character(out, c);
    }
}

void ntlm_target_text(struct buf *out, struct span utf16)
{
    set_utf16(out, utf16);
}

static void take_pair(struct ntlm_target *t, uint32_t id, struct span value)
{
    if (id == AV_DNS_DOMAIN || (id == AV_NB_DOMAIN && t->domain.n == 0))
        set_utf16(&t->domain, value);
    else if (id == AV_DNS_COMPUTER || (id == AV_NB_COMPUTER && t->server.n == 0))
        set_utf16(&t->server, value);
    else if (id == AV_TIME) {
        uint64_t ticks = u32_at(value, 0) | (uint64_t)u32_at(value, 4) << 32;
        t->timed = true;
        t->time = (int64_t)(ticks / FILETIME_SECOND) - FILETIME_1970;
    }
}

void ntlm_target_read(struct ntlm_target *t, struct span message)
{
    *t = (struct ntlm_target){0};
    uint32_t flags = u32_at(message, AT_FLAGS);
    struct span info = flags & FLAG_TARGET_INFO ? buffer_at(message, AT_TARGET_INFO) : SPAN("");
    while (info.n >= 4) {
        uint32_t id = u16_at(info, 0), n = u16_at(info, 2);
        info = span_from(info, 4);
        if (id == AV_END)
            break;
        if (n)
            take_pair(t, id, span_head(info, n));
        info = span_from(info, n);
    }
    if (t->domain.n == 0 && flags & FLAG_UNICODE && flags & FLAG_TARGET_IS_KNOWN)
        set_utf16(&t->domain, buffer_at(message, AT_TARGET_NAME));
}

void ntlm_target_free(struct ntlm_target *t)
{
    buf_free(&t->domain);
    buf_free(&t->server);
}

/* Flags: Unicode, OEM, request target, NTLM, always sign, extended session security. */
struct span ntlm_target_question(void)
{
    return SPAN("NTLMSSP\0\1\0\0\0\7\x82\x8\0"
                "\0\0\0\0\0\0\0\0"
                "\0\0\0\0\0\0\0\0");
}
