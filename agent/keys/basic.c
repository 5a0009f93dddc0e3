/*
 * Basic (RFC 7617). The password passes through locked memory alone: joined in one secret, encoded into
 * another. Any thread.
 */
#include "keys/basic.h"

#include "base/base64.h"

static bool has_control(struct span s) /* CTL of RFC 5234 */
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

bool basic_header(struct secret *out, struct span user, struct span password, const char **why)
{
    *why = NULL;
    if (span_find(user, ':') < user.n)
        *why = "a user name with a colon cannot be sent with Basic";
    else if (has_control(user))
        *why = "a user name with control characters cannot be sent with Basic";
    else if (has_control(password))
        *why = "a password with control characters cannot be sent with Basic";
    if (*why)
        return false;

    struct secret joined = {0};
    secret_set(&joined, user);
    secret_add(&joined, SPAN(":"));
    secret_add(&joined, password);
    secret_add(out, SPAN("Basic "));
    base64_encode_secret(out, secret_reveal(&joined));
    secret_free(&joined);
    return true;
}
