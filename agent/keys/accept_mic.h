/*
 * The message integrity code of an NTLM client whose first message we had to lengthen for gss-ntlmssp (accept_mend.h): it covers the first message as it came
 * (MS-NLMP section 3.1.5.1.2), and Chromium sends both such a message and such a code. Pure; any thread.
 */
#ifndef EXEAT_KEYS_ACCEPT_MIC_H
#define EXEAT_KEYS_ACCEPT_MIC_H

#include "base/buf.h"

struct accept_mic {
    struct span asked;     /* NEGOTIATE_MESSAGE as the client sent it */
    struct span mended;    /* as the library got it */
    struct span challenge; /* CHALLENGE_MESSAGE */
    struct span hash;      /* NT hash of the client's account, 32 hexadecimal digits */
    bool oem;              /* names are ASCII, not UTF-16 */
};

/* `message`, an AUTHENTICATE_MESSAGE that has passed accept_check: its code, where it has one that is right for the first message as it came, becomes the one
   that is right as the library got it. Otherwise nothing changes, and the library says no. */
void accept_mic_move(char *message, size_t n, const struct accept_mic *m);

#endif
