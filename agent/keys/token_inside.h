/*
 * For the files that look at NTLM and SPNEGO bytes from either side: ntlm_check.c and spnego_check.c (what proxies send), accept_check.c (what clients
 * send). Pure.
 */
#ifndef EXEAT_KEYS_TOKEN_INSIDE_H
#define EXEAT_KEYS_TOKEN_INSIDE_H

#include "base/span.h"

static inline unsigned token_u16(struct span s, size_t at)
{
    return (unsigned char)s.p[at] | (unsigned)(unsigned char)s.p[at + 1] << 8;
}

static inline uint32_t token_u32(struct span s, size_t at)
{
    return token_u16(s, at) | (uint32_t)token_u16(s, at + 2) << 16;
}

/* DER: takes one element of this tag off the front; its content. false: another tag, or a length that does not fit. */
bool token_take(struct span *rest, unsigned char tag, struct span *content);

/* NTLM: the bytes that the security buffer at `at` points to; they lie behind the fixed part. An empty one may point anywhere. */
bool token_buffer(struct span message, size_t at, size_t fixed, struct span *bytes);
/* The pairs of target info (MS-NLMP section 2.2.2.1). false: *why. */
bool token_check_pairs(struct span info, const char **why);

#endif
