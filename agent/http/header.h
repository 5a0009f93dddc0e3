/*
 * What happens to the fields of a message on its way through us (RFC 9110 sections 7.6.1 to 7.6.3): the hop-by-hop rules as
 * one table, and the writing of forwarded heads with order and letter case kept. Pure; any thread.
 */
#ifndef EXEAT_HTTP_HEADER_H
#define EXEAT_HTTP_HEADER_H

#include "http/framing.h"
#include "http/head.h"

/* Consumed here: Connection and everything it names, Proxy-Connection, Keep-Alive, TE, Trailer kept, Transfer-Encoding, Upgrade, Proxy-Authorization
   (requests), Proxy-Authenticate, Proxy-Authentication-Info, Proxy-Support (responses). Content-Length is framing: written anew from the body rule.
   Fields that Connection must not name (Host, Content-Length, Authorization, ... : RFC 9110 section 7.6.1 "end-to-end") stay. */
bool header_is_hop_by_hop(const struct head *h, struct span name);

/* What the configuration changes in a request's end-to-end fields. Everything is lent. */
struct header_changes {
    struct span *drop; /* fields of these names go no further */
    size_t n_drop;
    struct field *add; /* and these go with the request; no client's Connection takes them away */
    size_t n_add;
};

/* How a request goes up. Everything is a lent span; an empty span means absent. */
struct header_request {
    struct span target;             /* request target as it shall stand in the request line */
    struct span host;               /* value of Host, always written, first field */
    struct body_rule body;          /* BODY_NONE without a field, BODY_LENGTH, BODY_CHUNKED */
    bool zero_length;               /* write Content-Length: 0 with BODY_NONE (a POST without content) */
    struct span authorization;      /* value of Proxy-Authorization */
    bool keep_client_authorization; /* pass the client's own Proxy-Authorization on */
    struct span
        via; /* our pseudonym, appended to Via as "1.1 PSEUDONYM" (1.0 where it came so); empty: no entry */
    bool upgrade;  /* re-issue the client's Upgrade (RFC 9110 section 7.8) */
    bool to_proxy; /* also say Proxy-Connection: keep-alive, which old proxies want for NTLM */
    bool close;    /* Connection: close instead of keep-alive */
    const struct header_changes *changes; /* NULL: none */
};
/* Bytes that the changes add to a head, and the writing of them by itself. */
size_t header_changes_size(const struct header_changes *changes);
bool header_write_changes(struct buf *out, const struct header_changes *changes);
/* false: the ceiling of `out` would be passed; nothing was added. Max-Forwards of TRACE and OPTIONS goes on one lower. */
bool header_write_request(struct buf *out, const struct head *h, const struct header_request *how);

/* How a response goes down. */
struct header_response {
    struct body_rule body; /* the framing towards the client; BODY_CLOSE writes Connection: close */
    bool no_framing;       /* HEAD, 304: Content-Length is passed on as it came */
    struct span via;
    bool upgrade;        /* 101: keep Upgrade and say Connection: Upgrade */
    bool close;          /* say Connection: close */
    bool keep_alive;     /* say Connection: keep-alive (an HTTP/1.0 client asked for it) */
    bool session_based;  /* say Proxy-Support: Session-Based-Authentication (RFC 4559 section 6) */
    bool keep_challenge; /* pass Proxy-Authenticate on (client-credentials = pass) */
    struct span authenticate, authentication_info; /* our own, each value followed by LF */
};
/* A field of that name for each line of `values`. */
bool header_write_lines(struct buf *out, const char *name, struct span values);
/* false as above. A HTTP/1.0 answer goes down as HTTP/1.1 too. */
bool header_write_response(struct buf *out, const struct head *h, const struct header_response *how);

/* Max-Forwards of a TRACE or OPTIONS request (RFC 9110 section 7.6.2): at 0 the caller answers itself. false: there is none. */
bool header_max_forwards(const struct head *h, uint64_t *value);

/* Is our pseudonym in Via already? Then the request came from ourselves: a loop. */
bool header_via_loop(const struct head *h, struct span pseudonym);

/* May the connection be used again after this message? (RFC 9112 section 9.3; Proxy-Connection is understood) */
bool header_keeps_alive(const struct head *h);

#endif
