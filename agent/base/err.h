/*
 * What went wrong, in words for a person: handed up untouched, logged once by the activity that ends because of it.
 * A struct err belongs to its caller (usually on the stack); the text is ours and is cut at its end when too long.
 */
#ifndef EXEAT_BASE_ERR_H
#define EXEAT_BASE_ERR_H

#include <stdbool.h>

enum err_code {
    ERR_NONE,
    ERR_USAGE,       /* the command line */
    ERR_CONFIG,      /* the configuration */
    ERR_SYSTEM,      /* the operating system said no */
    ERR_UNREACHABLE, /* no connection to a peer */
    ERR_TIMEOUT,     /* a deadline passed */
    ERR_PROTOCOL,    /* a peer sent what it must not */
    ERR_REFUSED,     /* a peer refused us */
    ERR_GONE,        /* the other side went away */
    ERR_LIMIT,       /* one of our ceilings was reached */
};

struct err {
    enum err_code code;
    char text[480];
};

/* Fills *e (NULL is allowed) and returns false, so that "return err_set(...)" reads well. */
bool err_set(struct err *e, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with ": strerror(number)" at the end. */
bool err_errno(struct err *e, enum err_code code, int number, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
