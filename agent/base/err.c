/*
 * Errors in words. Any thread.
 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool err_set(struct err *e, enum err_code code, const char *format, ...)
{
    if (!e)
        return false;
    e->code = code;
    va_list args;
    va_start(args, format);
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    return false;
}

bool err_errno(struct err *e, enum err_code code, int number, const char *format, ...)
{
    if (!e)
        return false;
    e->code = code;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    char why[96];
    if (n >= 0 && (size_t)n < sizeof e->text)
        snprintf(e->text + n, sizeof e->text - (size_t)n, ": %s", strerror_r(number, why, sizeof why));
    return false;
}
