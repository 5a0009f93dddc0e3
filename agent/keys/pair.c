/*
 * The pair passes through locked memory alone.
 */
#include "keys/pair.h"

#define LENGTH_MOST 255

bool pair_message(struct secret *out, struct span user, struct span password, const char **why)
{
    *why = user.n == 0                ? "there is no user name"
           : user.n > LENGTH_MOST     ? "a user name has 255 bytes at most"
           : password.n == 0          ? "the password is empty"
           : password.n > LENGTH_MOST ? "a password has 255 bytes at most"
                                      : NULL;
    if (*why)
        return false;
    const char version = 1, user_n = (char)user.n, password_n = (char)password.n;
    secret_add(out, span_make(&version, 1));
    secret_add(out, span_make(&user_n, 1));
    secret_add(out, user);
    secret_add(out, span_make(&password_n, 1));
    secret_add(out, password);
    return true;
}

bool pair_is_for(const struct config_upstream *u, struct span host, uint32_t port)
{
    bool found = false;
    for (size_t i = 0; i < u->n_proxies; i++) {
        const struct config_proxy *p = &u->proxies[i];
        if (p->port != port || !span_ieq(span_str(p->host), host))
            continue;
        if (!p->socks)
            return false;
        found = true;
    }
    return found;
}
