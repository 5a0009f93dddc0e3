/*
 * Fields on their way through us (RFC 9110 section 7.6): what is consumed here, and the writing of the head
 * that goes on.
 *
 * A forwarded head is written in one pass into the caller's buffer: start line, (Host,) the end-to-end fields
 * as they came, then what is ours: Via, framing, Connection. Framing is never copied; it is written from the
 * body rule, so it stands there once. Pure; any thread.
 */
#include "http/header.h"

#include "http/octet.h"

enum treatment {
    END_TO_END = 0, /* goes on, unless Connection names it */
    CONSUMED,       /* ends here, named in Connection or not */
    ESSENTIAL,      /* goes on even when Connection names it: a client must not make us strip what the message
                       means */
    FRAMING,        /* written anew */
};

/* Names that are not here are END_TO_END. Lengths are compared first, so a look-up costs about as many
 * comparisons of numbers. */
static const struct {
    struct span name;
    enum treatment treatment;
} rows[] = {
#define ROW(name, treatment)                                                                                 \
    {                                                                                                        \
        {name, sizeof(name) - 1}, treatment                                                                  \
    }
    ROW("Connection", CONSUMED),
    ROW("Keep-Alive", CONSUMED),
    ROW("Proxy-Authenticate", CONSUMED),
    ROW("Proxy-Authentication-Info", CONSUMED),
    ROW("Proxy-Authorization", CONSUMED),
    ROW("Proxy-Connection", CONSUMED),
    ROW("Proxy-Support", CONSUMED),
    ROW("TE", CONSUMED),
    ROW("Transfer-Encoding", CONSUMED),
    ROW("Upgrade", CONSUMED),
    ROW("Content-Length", FRAMING),
    ROW("Accept", ESSENTIAL),
    ROW("Accept-Encoding", ESSENTIAL),
    ROW("Accept-Language", ESSENTIAL),
    ROW("Authentication-Info", ESSENTIAL),
    ROW("Authorization", ESSENTIAL),
    ROW("Cache-Control", ESSENTIAL),
    ROW("Content-Disposition", ESSENTIAL),
    ROW("Content-Encoding", ESSENTIAL),
    ROW("Content-Language", ESSENTIAL),
    ROW("Content-Location", ESSENTIAL),
    ROW("Content-Range", ESSENTIAL),
    ROW("Content-Security-Policy", ESSENTIAL),
    ROW("Content-Type", ESSENTIAL),
    ROW("Cookie", ESSENTIAL),
    ROW("Date", ESSENTIAL),
    ROW("ETag", ESSENTIAL),
    ROW("Expect", ESSENTIAL),
    ROW("Expires", ESSENTIAL),
    ROW("Forwarded", ESSENTIAL),
    ROW("Host", ESSENTIAL),
    ROW("If-Match", ESSENTIAL),
    ROW("If-Modified-Since", ESSENTIAL),
    ROW("If-None-Match", ESSENTIAL),
    ROW("If-Range", ESSENTIAL),
    ROW("If-Unmodified-Since", ESSENTIAL),
    ROW("Last-Modified", ESSENTIAL),
    ROW("Location", ESSENTIAL),
    ROW("Max-Forwards", ESSENTIAL),
    ROW("Origin", ESSENTIAL),
    ROW("Pragma", ESSENTIAL),
    ROW("Range", ESSENTIAL),
    ROW("Referer", ESSENTIAL),
    ROW("Server", ESSENTIAL),
    ROW("Set-Cookie", ESSENTIAL),
    ROW("Strict-Transport-Security", ESSENTIAL),
    ROW("Trailer", ESSENTIAL),
    ROW("User-Agent", ESSENTIAL),
    ROW("Vary", ESSENTIAL),
    ROW("Via", ESSENTIAL),
    ROW("WWW-Authenticate", ESSENTIAL),
    ROW("X-Forwarded-For", ESSENTIAL),
    ROW("X-Forwarded-Host", ESSENTIAL),
    ROW("X-Forwarded-Proto", ESSENTIAL),
#undef ROW
};

static enum treatment treatment_of(struct span name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].name.n == name.n && span_ieq(rows[i].name, name))
            return rows[i].treatment;
    return END_TO_END;
}

static bool connection_names(const struct head *h, struct span name)
{
    for (const struct field *f = head_field(h, "Connection"); f; f = head_field_next(h, f)) {
        struct span rest = f->value;
        struct span member;
        while (list_next(&rest, &member))
            if (span_ieq(member, name))
                return true;
    }
    return false;
}

bool header_is_hop_by_hop(const struct head *h, struct span name)
{
    enum treatment treatment = treatment_of(name);
    return treatment == CONSUMED || (treatment == END_TO_END && connection_names(h, name));
}

/* Does this field go on as it came? Via, Host and Max-Forwards are asked for before. */
static bool goes_on(const struct head *h, struct span name, bool has_connection)
{
    enum treatment treatment = treatment_of(name);
    return treatment == ESSENTIAL ||
           (treatment == END_TO_END && !(has_connection && connection_names(h, name)));
}

static bool add_field(struct buf *out, struct span name, struct span value)
{
    return buf_add_span(out, name) && buf_add(out, ": ", 2) && buf_add_span(out, value) &&
           buf_add(out, "\r\n", 2);
}

/* Our own entry, with the version that the message came in (RFC 9110 section 7.6.3), behind those of the last
 * Via field. */
static bool add_via(struct buf *out, const struct head *h, const struct field *last, struct span pseudonym)
{
    if (!pseudonym.n)
        return !last || add_field(out, last->name, last->value);
    bool ok = last ? buf_add_span(out, last->name) : buf_add(out, "Via", 3);
    ok = ok && buf_add(out, ": ", 2);
    if (last && last->value.n)
        ok = ok && buf_add_span(out, last->value) && buf_add(out, ", ", 2);
    return ok && buf_add_str(out, h->minor ? "1.1 " : "1.0 ") && buf_add_span(out, pseudonym) &&
           buf_add(out, "\r\n", 2);
}

static bool add_length(struct buf *out, uint64_t length)
{
    return buf_addf(out, "Content-Length: %llu\r\n", (unsigned long long)length);
}

static const struct field *last_via(const struct head *h)
{
    const struct field *last = NULL;
    for (const struct field *f = head_field(h, "Via"); f; f = head_field_next(h, f))
        last = f;
    return last;
}

bool header_max_forwards(const struct head *h, uint64_t *value)
{
    const struct field *f = head_field(h, "Max-Forwards");
    return f && (span_eq(h->method, SPAN("TRACE")) || span_eq(h->method, SPAN("OPTIONS"))) &&
           span_u64(f->value, value);
}

static bool add_request_line(struct buf *out, const struct head *h, struct span target)
{
    return buf_add_span(out, h->method) && buf_add(out, " ", 1) &&
           (!target.n || target.p[0] != '?' || buf_add(out, "/", 1)) && buf_add_span(out, target) &&
           buf_add_str(out, " HTTP/1.1\r\n");
}

size_t header_changes_size(const struct header_changes *changes)
{
    size_t size = 0;
    for (size_t i = 0; changes && i < changes->n_add; i++)
        size += changes->add[i].name.n + changes->add[i].value.n + 4;
    return size;
}

bool header_write_changes(struct buf *out, const struct header_changes *changes)
{
    bool ok = true;
    for (size_t i = 0; ok && changes && i < changes->n_add; i++)
        ok = add_field(out, changes->add[i].name, changes->add[i].value);
    return ok;
}

static bool is_dropped(const struct header_changes *changes, struct span name)
{
    for (size_t i = 0; changes && i < changes->n_drop; i++)
        if (span_ieq(changes->drop[i], name))
            return true;
    return false;
}

static bool add_request_field(struct buf *out, const struct head *h, const struct field *f,
                              const struct field *via, const struct header_request *how, bool has_connection)
{
    uint64_t hops;
    if (f == via)
        return add_via(out, h, f, how->via);
    if (span_ieq(f->name, SPAN("Host")))
        return true;
    if (how->keep_client_authorization && span_ieq(f->name, SPAN("Proxy-Authorization")))
        return add_field(out, f->name, f->value);
    if (span_ieq(f->name, SPAN("Max-Forwards")) && header_max_forwards(h, &hops) && hops)
        return buf_addf(out, "%.*s: %llu\r\n", SPAN_ARG(f->name), (unsigned long long)hops - 1);
    return !goes_on(h, f->name, has_connection) || is_dropped(how->changes, f->name) ||
           add_field(out, f->name, f->value);
}

static bool add_request_framing(struct buf *out, const struct header_request *how)
{
    if (how->body.kind == BODY_CHUNKED)
        return buf_add_str(out, "Transfer-Encoding: chunked\r\n");
    if (how->body.kind == BODY_LENGTH || how->zero_length)
        return add_length(out, how->body.kind == BODY_LENGTH ? how->body.length : 0);
    return true;
}

/* Upgrade fields as they came, if any. */
static bool add_upgrade(struct buf *out, const struct head *h)
{
    for (const struct field *f = head_field(h, "Upgrade"); f; f = head_field_next(h, f))
        if (!add_field(out, f->name, f->value))
            return false;
    return true;
}

static bool add_request_connection(struct buf *out, const struct head *h, const struct header_request *how)
{
    const char *keep = how->close ? "close" : "keep-alive";
    bool trailers = head_has_token(h, "TE", "trailers") && !span_eq(h->method, SPAN("CONNECT"));
    bool upgrade = how->upgrade && head_field(h, "Upgrade");
    return (!upgrade || add_upgrade(out, h)) && (!trailers || buf_add_str(out, "TE: trailers\r\n")) &&
           buf_addf(out, "Connection: %s%s%s\r\n", keep, upgrade ? ", Upgrade" : "",
                    trailers ? ", TE" : "") &&
           (!how->to_proxy || buf_addf(out, "Proxy-Connection: %s\r\n", keep));
}

bool header_write_request(struct buf *out, const struct head *h, const struct header_request *how)
{
    size_t start = out->n;
    bool has_connection = head_field(h, "Connection");
    const struct field *via = last_via(h);
    bool ok = add_request_line(out, h, how->target) && add_field(out, SPAN("Host"), how->host);
    for (size_t i = 0; ok && i < h->n_fields; i++)
        ok = add_request_field(out, h, &h->fields[i], via, how, has_connection);
    ok = ok && header_write_changes(out, how->changes) && (via || add_via(out, h, NULL, how->via));
    ok = ok && add_request_framing(out, how);
    if (how->authorization.n)
        ok = ok && add_field(out, SPAN("Proxy-Authorization"), how->authorization);
    ok = ok && add_request_connection(out, h, how) && buf_add(out, "\r\n", 2);
    if (!ok)
        out->n = start;
    return ok;
}

static bool add_response_field(struct buf *out, const struct head *h, const struct field *f,
                               const struct field *via, const struct header_response *how,
                               bool has_connection)
{
    if (f == via)
        return add_via(out, h, f, how->via);
    if (how->keep_challenge && (span_ieq(f->name, SPAN("Proxy-Authenticate")) ||
                                span_ieq(f->name, SPAN("Proxy-Authentication-Info"))))
        return add_field(out, f->name, f->value);
    return !goes_on(h, f->name, has_connection) || add_field(out, f->name, f->value);
}

/*
 * With no_framing a length is what a GET would have had: passed on where it is one plain number, otherwise left
 * out; and never in 1xx, 204 and what opens a tunnel (RFC 9110 section 8.6).
 */
static bool add_response_framing(struct buf *out, const struct head *h, const struct header_response *how)
{
    const struct field *length = head_field(h, "Content-Length");
    uint64_t number;
    if (how->body.kind == BODY_LENGTH)
        return add_length(out, how->body.length);
    if (how->body.kind == BODY_CHUNKED)
        return buf_add_str(out, "Transfer-Encoding: chunked\r\n");
    bool may = how->no_framing && how->body.kind == BODY_NONE && h->status >= 200 && h->status != 204;
    if (may && length && !head_field_next(h, length) && span_u64(length->value, &number) &&
        !head_field(h, "Transfer-Encoding"))
        return add_field(out, length->name, length->value);
    return true;
}

static bool add_response_connection(struct buf *out, const struct head *h, const struct header_response *how)
{
    bool close = how->close || how->body.kind == BODY_CLOSE;
    const char *say[3];
    size_t n = 0;
    if (how->upgrade && head_field(h, "Upgrade"))
        say[n++] = "Upgrade";
    if (close || how->keep_alive)
        say[n++] = close ? "close" : "keep-alive";
    if (how->session_based)
        say[n++] = "Proxy-Support";
    bool ok = !how->upgrade || add_upgrade(out, h);
    if (how->session_based)
        ok = ok && buf_add_str(out, "Proxy-Support: Session-Based-Authentication\r\n");
    for (size_t i = 0; i < n; i++)
        ok = ok && buf_add_str(out, i ? ", " : "Connection: ") && buf_add_str(out, say[i]);
    return ok && (!n || buf_add(out, "\r\n", 2));
}

bool header_write_lines(struct buf *out, const char *name, struct span values)
{
    bool ok = true;
    while (ok && values.n)
        ok = add_field(out, span_str(name), span_cut(&values, '\n'));
    return ok;
}

bool header_write_response(struct buf *out, const struct head *h, const struct header_response *how)
{
    size_t start = out->n;
    bool has_connection = head_field(h, "Connection");
    const struct field *via = last_via(h);
    bool ok =
        buf_addf(out, "HTTP/1.1 %03u ", h->status) && buf_add_span(out, h->reason) && buf_add(out, "\r\n", 2);
    for (size_t i = 0; ok && i < h->n_fields; i++)
        ok = add_response_field(out, h, &h->fields[i], via, how, has_connection);
    ok = ok && header_write_lines(out, "Proxy-Authenticate", how->authenticate) &&
         header_write_lines(out, "Proxy-Authentication-Info", how->authentication_info);
    ok = ok && (via || add_via(out, h, NULL, how->via)) && add_response_framing(out, h, how) &&
         add_response_connection(out, h, how) && buf_add(out, "\r\n", 2);
    if (!ok)
        out->n = start;
    return ok;
}

/* Wherever it stands: the list may come from a client that broke its quoting, and our entry would hide inside. Nobody else writes our pseudonym. */
bool header_via_loop(const struct head *h, struct span pseudonym)
{
    for (const struct field *f = head_field(h, "Via"); f; f = head_field_next(h, f)) {
        struct span rest = f->value;
        while (rest.n) {
            size_t n = octet_run(rest, OCTET_TOKEN);
            if (span_ieq(span_head(rest, n), pseudonym))
                return true;
            rest = span_from(rest, n + 1);
        }
    }
    return false;
}

bool header_keeps_alive(const struct head *h)
{
    if (head_has_token(h, "Connection", "close") || head_has_token(h, "Proxy-Connection", "close"))
        return false;
    return h->minor || head_has_token(h, "Connection", "keep-alive") ||
           head_has_token(h, "Proxy-Connection", "keep-alive");
}
