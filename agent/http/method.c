/*
 * Methods.
 */
#include "http/method.h"

bool method_is_idempotent(struct span method)
{
    static const char *const names[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "CONNECT"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_eq(method, span_str(names[i])))
            return true;
    return false;
}
