/*
 * The message integrity code of an NTLM client whose first message we had to lengthen for gss-ntlmssp (accept_mend.h): it covers the first message as it came
 * (MS-NLMP section 3.1.5.1.2), and Chromium sends both such a message and such a code. Pure; any thread.
 */
#ifndef EXEAT_KEYS_ACCEPT_MIC_H
#define EXEAT_KEYS_ACCEPT_MIC_H

#include "base/buf.h"

#define ACCEPT_MIC_KEY 16

struct accept_mic {
    struct span asked;     /* NEGOTIATE_MESSAGE as the client sent it */
    struct span mended;    /* as the library got it */
    struct span challenge; /* CHALLENGE_MESSAGE */
    struct span hash; /* NT hash of the client's account, 32 hexadecimal digits; empty: the domain has it, */
    const unsigned char *key; /* and has told the session's base key, ACCEPT_MIC_KEY bytes */
    bool oem;                 /* names are ASCII, not UTF-16 */
};

/* Has this AUTHENTICATE_MESSAGE, which has passed accept_check, a code that can be moved? *nt: its NTLMv2 response. */
bool accept_mic_is_there(struct span message, struct span *nt);
/* `message`, an AUTHENTICATE_MESSAGE that has passed accept_check: its code, where it has one that is right for the first message as it came, becomes the one
   that is right as the library got it. Otherwise nothing changes, and the library says no. */
void accept_mic_move(char *message, size_t n, const struct accept_mic *m);
/* The eight random bytes of a CHALLENGE_MESSAGE. */
struct span accept_mic_challenge(struct span message);

#endif
