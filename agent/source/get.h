/*
 * One file from a web server, whole: a GET of a client's own (RFC 9110), straight to the server, with no credentials, in clear or over TLS with the
 * authorities that this machine trusts. Follows redirects, but never from https: to http:, never away from http, and not to a place that
 * its owner refuses. Ends exactly once, never inside get_start, and not after get_cancel. Loop thread only.
 */
#ifndef EXEAT_SOURCE_GET_H
#define EXEAT_SOURCE_GET_H

#include "http/head.h"
#include "net/loop.h"
#include "wire/pac_msg.h"

#define GET_TIMEOUT_MS   30000u /* all of it, redirects too */
#define GET_DIAL_MS      10000u
#define GET_REDIRECTS    10u
#define GET_BYTES        (PAC_SCRIPT_MAX - 16) /* of content: what exeat-pac takes, with a mark in front */
#define GET_INTERIM_MOST 8u                    /* 1xx answers before the one */

enum get_result {
    GET_NEW,
    GET_SAME,      /* 304: what the validators stand for */
    GET_NO_SERVER, /* its name leads nowhere */
    GET_NOT_THERE, /* 404, 410 */
    GET_FAILED,
};

struct get_wish {
    struct span url;
    /* What we have: of an earlier answer, from that URL behind all redirects. Empty: nothing. */
    struct span have_from, etag, modified;
    /* Why we must not connect there, as the end of a sentence ("is where ..."); NULL: go on. The function itself may be NULL. */
    const char *(*refuse)(void *owner, struct span host, uint16_t port);
    unsigned timeout_ms; /* 0: GET_TIMEOUT_MS */
};

/* Lent for the call. */
struct get_answer {
    enum get_result result;
    struct span content;     /* GET_NEW */
    struct span from;        /* GET_NEW, GET_SAME: the URL behind all redirects */
    struct span charset;     /* of Content-Type; empty: not named */
    const struct head *head; /* of the last answer; NULL: there was none */
    struct span why;         /* else: a sentence without full stop */
};
typedef void (*get_done_fn)(void *owner, const struct get_answer *answer);

struct get;

struct get *get_start(struct loop *loop, const struct get_wish *wish, get_done_fn done, void *owner);
void get_cancel(struct get *g);

#endif
