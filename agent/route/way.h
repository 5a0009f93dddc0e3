/*
 * A way out: the hops to try, in order.
 */
#ifndef EXEAT_ROUTE_WAY_H
#define EXEAT_ROUTE_WAY_H

#include <stdbool.h>
#include <stddef.h>

struct hop;

struct way {
    struct hop **hops;
    size_t n;
    char *reason; /* "upstream corp", "PAC: PROXY proxy.corp.example:8080" */
    bool detour;  /* upstream/detour.c: requests go direct at present */
};

#endif
