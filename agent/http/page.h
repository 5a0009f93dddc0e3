/*
 * The answers that we write ourselves: small, plain text or HTML by Accept, with a reason in words, a remedy, the tag of the log line
 * and a Proxy-Status field (RFC 9209). One table of causes; nothing of a secret, and nothing from a peer unescaped.
 */
#ifndef EXEAT_HTTP_PAGE_H
#define EXEAT_HTTP_PAGE_H

#include "http/head.h"

enum page_cause {
    PAGE_BAD_REQUEST, /* 400, http_request_error; the status of the fault goes first where it has one (414, 431, 501, 505) */
    PAGE_NOT_ALLOWED,     /* 403, http_request_denied */
    PAGE_LOOP,            /* 508, proxy_loop_detected */
    PAGE_DNS,             /* 502, dns_error */
    PAGE_UNREACHABLE,     /* 502, destination_unavailable */
    PAGE_REFUSED,         /* 502, connection_refused */
    PAGE_CONNECT_TIMEOUT, /* 504, connection_timeout */
    PAGE_ANSWER_TIMEOUT,  /* 504, http_response_timeout */
    PAGE_BAD_ANSWER,      /* 502, http_protocol_error */
    PAGE_CUT_SHORT,       /* 502, http_response_incomplete */
    PAGE_TLS,             /* 502, tls_protocol_error */
    PAGE_SECRET_REFUSED, /* 502, http_request_denied: the proxy refused our password; never 407, so that no client loops */
    PAGE_CLIENT_CREDENTIALS, /* 407, http_request_denied: the client is to say who it is, or to say it again */
    PAGE_SITE_REFUSED, /* 403, http_request_denied: the proxy refused this site or no longer takes the password */
    PAGE_NO_CREDENTIALS, /* 502, proxy_configuration_error: nothing to answer with (no ticket, no secret) */
    PAGE_DOWNGRADED,  /* 502, http_request_denied: the proxy offers only weaker schemes than it took before */
    PAGE_NOT_PROVED,  /* 502, http_protocol_error: the proxy did not prove who it is */
    PAGE_KDC_TIMEOUT, /* 504, connection_timeout: authentication did not finish in time */
    PAGE_BODY_LOST,   /* 502, proxy_internal_response: the body cannot be sent a second time */
    PAGE_NO_WAY,   /* 502, proxy_configuration_error: the PAC script failed, and nothing stands in for it */
    PAGE_BUSY,     /* 503, connection_limit_reached */
    PAGE_OFF,      /* 503, http_request_denied: exeat off, and when-off = refuse */
    PAGE_INTERNAL, /* 500, proxy_internal_error */
    PAGE_AUTHENTICATE, /* 407, http_request_denied: a gateway's client is to say who it is; its challenges stand in `authenticate` */
    PAGE_BAD_CREDENTIALS, /* 400, http_request_error: its Proxy-Authorization is malformed */
    PAGE_NO_JUDGE,        /* 503, proxy_configuration_error: nobody can tell who it is */
    PAGE_TOO_MANY,        /* 429, http_request_denied */
    PAGE_NO_TOKEN, /* 407, http_request_denied: a client from beyond this machine has not shown who it is; with a Basic challenge */
};

struct page {
    enum page_cause cause;
    unsigned status;      /* 0: the cause's own */
    struct span why;      /* one sentence: what happened */
    struct span remedy;   /* one sentence: what to do; may be empty */
    struct span tag;      /* log tag */
    struct span next_hop; /* host:port of the proxy concerned; may be empty */
    struct span realm;    /* PAGE_CLIENT_CREDENTIALS: what Basic's challenge calls us */
    struct span authenticate, authentication_info; /* fields of a gateway's, each value followed by LF */
    bool html;                                     /* by Accept: page_wants_html */
    bool head_only;                                /* answers HEAD: the length, but no content */
    bool close;                                    /* says Connection: close */
    bool keep_alive; /* says Connection: keep-alive, which HTTP/1.0 does not take for granted */
};

bool page_wants_html(const struct head *request); /* NULL: no */
unsigned page_status(enum page_cause cause);
/* The whole response: head and content. */
bool page_write(struct buf *out, const struct page *page);
/* Any other small document of ours, for instance the status page: a 200 with this content type and content. */
struct page_document {
    struct span type, content;
    struct span authenticate, authentication_info;
    bool head_only, close, keep_alive;
};
bool page_write_document(struct buf *out, const struct page_document *d);

#endif
