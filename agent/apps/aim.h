/*
 * Where programs are to be pointed: the agent's listener as a URL, and the destinations that they may reach without it, in each of the forms that
 * programs understand. Pure; any thread.
 */
#ifndef EXEAT_APPS_AIM_H
#define EXEAT_APPS_AIM_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct aim {
    char *url; /* http://127.0.0.1:3128 */
    char *host;
    uint16_t port;
    char **direct; /* for no_proxy: names, .suffixes, addresses, networks; this machine first */
    size_t n_direct;
    char **
        left_out; /* entries of no-proxy that only exeat itself understands; it goes direct there by itself */
    size_t n_left_out;
    char *program; /* the path of exeat */
};

/* `listener`: "127.0.0.1:3128", "[::1]:3128", "0.0.0.0:3128" (reached as 127.0.0.1). false: it is a Unix socket, or no address. The caller calls
   aim_free in either case. */
bool aim_init(struct aim *t, const char *listener);
/* The same from "http://HOST:PORT" or "HOST:PORT", as a person types it. */
bool aim_read(struct aim *t, const char *typed, struct err *e);
/* An entry of [route] no-proxy. */
void aim_add_direct(struct aim *t, const char *pattern);
void aim_free(struct aim *t);

/* Appends `template` with its {names} replaced: url, host, hostport, port, program, and the destinations as no_proxy (commas), java (|, with *), java_commas, json,
   gvariant, ssh, apt, apts. Braces that hold none of these stay. */
void aim_expand(const struct aim *t, const char *template, struct buf *out);

#endif
