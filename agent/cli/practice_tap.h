/*
 * An open ear on the line between exeat and a proxy: connections are passed on byte for byte, and each head that passes is told. One loop's thread.
 */
#ifndef EXEAT_CLI_PRACTICE_TAP_H
#define EXEAT_CLI_PRACTICE_TAP_H

#include "http/head.h"
#include "net/given.h"

struct tap;

enum tap_way { TAP_UP, TAP_DOWN }; /* towards the proxy; from it */

enum tap_deaf {
    TAP_TUNNEL,
    TAP_ODD
}; /* it is no HTTP any more; nobody could say where the next message begins */

struct tap_events {
    /* `connection` counts from 1. The head is lent for the length of the call. */
    void (*head)(void *owner, unsigned connection, enum tap_way way, const struct head *h);
    /* What follows on this connection, both ways, is not read any more: once. */
    void (*deaf)(void *owner, unsigned connection, enum tap_deaf why);
};

/* Listens on `at` (lent), leads to `port` of 127.0.0.1. NULL: *e. */
struct tap *tap_new(struct loop *loop, const struct given *at, uint16_t port, const struct tap_events *events,
                    void *owner, struct err *e);
/* Connections that are open at present. */
unsigned tap_open(const struct tap *t);
void tap_free(struct tap *t); /* NULL is allowed */

#endif
