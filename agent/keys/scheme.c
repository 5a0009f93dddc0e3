/*
 * The table of schemes. Static data, any thread.
 */
#include "keys/scheme.h"

const struct scheme schemes[AUTH_SCHEMES] = {
    [AUTH_NEGOTIATE] = {"Negotiate", true, negotiate_step},
    [AUTH_NTLM] = {"NTLM", true, ntlm_step},
    [AUTH_DIGEST] = {"Digest", false, NULL},
    [AUTH_BASIC] = {"Basic", false, NULL},
};
