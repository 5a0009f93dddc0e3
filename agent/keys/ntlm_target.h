/*
 * What an NTLM challenge says of the server that made it: its names and its clock (MS-NLMP section 2.2.2.1), for people. And the message that asks
 * for one, which shows nothing of ours. Pure; any thread.
 */
#ifndef EXEAT_KEYS_NTLM_TARGET_H
#define EXEAT_KEYS_NTLM_TARGET_H

#include "base/buf.h"

struct ntlm_target {
    struct buf domain,
        server; /* UTF-8 without control characters, DNS names where there are any; may be empty */
    bool timed;
    int64_t time; /* seconds since 1970 */
};

/* `message` has passed ntlm_check_challenge. The caller frees with ntlm_target_free. */
void ntlm_target_read(struct ntlm_target *t, struct span message);
void ntlm_target_free(struct ntlm_target *t);

/* UTF-16 as UTF-8, at most 512 bytes of it; what is no character or a control character becomes "?". */
void ntlm_target_text(struct buf *out, struct span utf16);

/* A NEGOTIATE_MESSAGE (MS-NLMP section 2.2.1.1) that names neither user nor computer. */
struct span ntlm_target_question(void);

#endif
