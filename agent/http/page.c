/*
 * The answers that we write ourselves. Each cause is a row: status, error token of RFC 9209 section 2.3,
 * title. The content names the status, what happened, what to do next and the tag of the log line, as plain
 * text or as a small HTML document.
 *
 * What comes from peers (names, reasons) is made harmless here: control characters never pass, HTML is
 * escaped, and the Proxy-Status field holds printable ASCII only. Secrets never get here: callers have none
 * to give. Pure; any thread.
 */
#include "http/page.h"

#include "http/header.h"
#include "http/octet.h"

/* Details beyond this are cut in Proxy-Status, so that a peer cannot make our head grow. */
#define DETAILS_MAX 512

static const struct {
    unsigned status;
    const char *error; /* token of Proxy-Status */
    const char *title;
    const char *challenge; /* value of Proxy-Authenticate; NULL: none */
} causes[] = {
    [PAGE_BAD_REQUEST] = {400, "http_request_error", "The request cannot be forwarded"},
    [PAGE_NOT_ALLOWED] = {403, "http_request_denied", "This proxy does not allow the request"},
    [PAGE_LOOP] = {508, "proxy_loop_detected", "The request came back to this proxy"},
    [PAGE_DNS] = {502, "dns_error", "The name was not found"},
    [PAGE_UNREACHABLE] = {502, "destination_unavailable", "No connection was possible"},
    [PAGE_REFUSED] = {502, "connection_refused", "Nobody answers there"},
    [PAGE_CONNECT_TIMEOUT] = {504, "connection_timeout", "The connection took too long"},
    [PAGE_ANSWER_TIMEOUT] = {504, "http_response_timeout", "The answer took too long"},
    [PAGE_BAD_ANSWER] = {502, "http_protocol_error", "The answer could not be used"},
    [PAGE_CUT_SHORT] = {502, "http_response_incomplete", "The answer was cut short"},
    [PAGE_TLS] = {502, "tls_protocol_error", "No secure connection was possible"},
    [PAGE_SECRET_REFUSED] = {502, "http_request_denied", "The login was refused"},
    [PAGE_CLIENT_CREDENTIALS] = {407, "http_request_denied", "This proxy asks who you are"},
    [PAGE_SITE_REFUSED] = {403, "http_request_denied", "The proxy refused this request"},
    [PAGE_NO_CREDENTIALS] = {502, "proxy_configuration_error", "There is nothing to log in with"},
    [PAGE_DOWNGRADED] = {502, "http_request_denied", "The proxy asks for weaker credentials than before"},
    [PAGE_NOT_PROVED] = {502, "http_protocol_error", "The proxy did not prove who it is"},
    [PAGE_KDC_TIMEOUT] = {504, "connection_timeout", "Authentication took too long"},
    [PAGE_BODY_LOST] = {502, "proxy_internal_response", "The request cannot be sent a second time"},
    [PAGE_NO_WAY] = {502, "proxy_configuration_error", "It is not known where this request goes"},
    [PAGE_BUSY] = {503, "connection_limit_reached", "Too many connections"},
    [PAGE_OFF] = {503, "http_request_denied", "The proxy is switched off"},
    [PAGE_INTERNAL] = {500, "proxy_internal_error", "Something went wrong in this proxy"},
    [PAGE_AUTHENTICATE] = {407, "http_request_denied", "This proxy asks who you are"},
    [PAGE_BAD_CREDENTIALS] = {400, "http_request_error", "The credentials cannot be read"},
    [PAGE_NO_JUDGE] = {503, "proxy_configuration_error", "Nobody can tell who you are"},
    [PAGE_TOO_MANY] = {429, "http_request_denied", "Too many requests"},
    [PAGE_NO_TOKEN] = {407, "http_request_denied", "This proxy serves clients that it knows",
                       "Basic realm=\"exeat\""},
};

static const struct {
    unsigned status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {400, "Bad Request"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {417, "Expectation Failed"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {508, "Loop Detected"},
};

static const char *reason_of(unsigned status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Error";
}

unsigned page_status(enum page_cause cause)
{
    return causes[cause].status;
}

/* The weight of one Accept member in thousandths (RFC 9110 section 12.4.2); one that cannot be read counts as
 * 0. */
static unsigned weight(struct span parameters)
{
    while (parameters.n) {
        struct span parameter = span_trim(span_cut(&parameters, ';'));
        if (!span_istarts(parameter, SPAN("q=")))
            continue;
        unsigned value = 0;
        unsigned unit = 1000;
        for (size_t i = 2; i < parameter.n && unit; i++) {
            if (i == 3 && parameter.p[i] == '.')
                continue;
            if (parameter.p[i] < '0' || parameter.p[i] > '9')
                return 0;
            value += (unsigned)(parameter.p[i] - '0') * unit;
            unit /= 10;
        }
        return value < 1000 ? value : 1000;
    }
    return 1000;
}

/* Only who names HTML gets HTML: command-line programs say that they take anything. */
bool page_wants_html(const struct head *request)
{
    unsigned html = 0;
    unsigned plain = 0;
    if (!request)
        return false;
    for (const struct field *f = head_field(request, "Accept"); f; f = head_field_next(request, f)) {
        struct span rest = f->value;
        struct span member;
        while (list_next(&rest, &member)) {
            struct span type = span_trim(span_cut(&member, ';'));
            unsigned q = weight(member);
            if (span_ieq(type, SPAN("text/html")) && q > html)
                html = q;
            else if (span_ieq(type, SPAN("text/plain")) && q > plain)
                plain = q;
        }
    }
    return html && html >= plain;
}

static const char *html_entity(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

/* Text for people: control characters become '?'; bytes beyond ASCII stay (the content is declared as UTF-8).
 */
static bool add_text(struct buf *out, struct span text, bool html)
{
    bool ok = true;
    for (size_t i = 0; ok && i < text.n; i++) {
        const char *entity = html ? html_entity(text.p[i]) : NULL;
        if (entity)
            ok = buf_add_str(out, entity);
        else
            ok = buf_add(out, octet_is(text.p[i], OCTET_VALUE) ? text.p + i : "?", 1);
    }
    return ok;
}

/* sf-string of RFC 8941 section 3.3.3: printable ASCII, quotes and backslashes escaped. */
static bool add_sf_string(struct buf *out, struct span text)
{
    bool ok = buf_add(out, "\"", 1);
    for (size_t i = 0; ok && i < text.n && i < DETAILS_MAX; i++) {
        char c = text.p[i];
        if (c == '"' || c == '\\')
            ok = buf_add(out, "\\", 1);
        ok = ok && buf_add(out, c >= ' ' && c <= '~' ? &c : "?", 1);
    }
    return ok && buf_add(out, "\"", 1);
}

static bool add_paragraph(struct buf *out, const char *label, struct span text, bool html)
{
    if (!text.n)
        return true;
    return buf_addf(out, html ? "<p><b>%s:</b> " : "%s: ", label) && add_text(out, text, html) &&
           buf_add_str(out, html ? "</p>\n" : "\n");
}

static bool add_content(struct buf *out, const struct page *page, unsigned status)
{
    const char *title = causes[page->cause].title;
    bool ok;
    if (page->html)
        ok = buf_addf(
            out,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>%u %s</title></head>\n"
            "<body>\n<h1>%s</h1>\n<p>%u %s</p>\n",
            status, title, title, status, reason_of(status));
    else
        ok = buf_addf(out, "%u %s\n%s\n\n", status, reason_of(status), title);
    ok = ok && add_paragraph(out, "What happened", page->why, page->html) &&
         add_paragraph(out, "What to do", page->remedy, page->html) &&
         add_paragraph(out, "Proxy", page->next_hop, page->html) &&
         add_paragraph(out, "In the log of exeat", page->tag, page->html);
    return ok && (!page->html || buf_add_str(out, "</body>\n</html>\n"));
}

static bool add_proxy_status(struct buf *out, const struct page *page)
{
    bool ok = buf_addf(out, "Proxy-Status: exeat; error=%s", causes[page->cause].error);
    if (page->why.n)
        ok = ok && buf_add_str(out, "; details=") && add_sf_string(out, page->why);
    if (page->next_hop.n)
        ok = ok && buf_add_str(out, "; next-hop=") && add_sf_string(out, page->next_hop);
    return ok && buf_add_str(out, "\r\n");
}

static bool add_challenge(struct buf *out, const struct page *page)
{
    const char *challenge = causes[page->cause].challenge;
    if (challenge)
        return buf_addf(out, "Proxy-Authenticate: %s\r\n", challenge);
    /* RFC 7617. A quoted-string knows the same escapes as sf-string. */
    return !page->realm.n || (buf_add_str(out, "Proxy-Authenticate: Basic realm=") &&
                              add_sf_string(out, page->realm) && buf_add_str(out, ", charset=\"UTF-8\"\r\n"));
}

static bool add_gateway(struct buf *out, struct span authenticate, struct span info)
{
    return header_write_lines(out, "Proxy-Authenticate", authenticate) &&
           header_write_lines(out, "Proxy-Authentication-Info", info);
}

/* Fields that all our documents have, the empty line, and the content. */
/* NULL: nothing need be said. */
static const char *connection_of(bool close, bool keep_alive)
{
    return close ? "close" : keep_alive ? "keep-alive" : NULL;
}

static bool add_rest(struct buf *out, struct span type, struct span content, bool head_only,
                     const char *connection)
{
    return buf_add_str(out, "Content-Type: ") && buf_add_span(out, type) &&
           buf_addf(out, "\r\nContent-Length: %zu\r\n", content.n) &&
           buf_add_str(out, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n") &&
           (!connection || buf_addf(out, "Connection: %s\r\n", connection)) && buf_add_str(out, "\r\n") &&
           (head_only || buf_add_span(out, content));
}

bool page_write(struct buf *out, const struct page *page)
{
    size_t start = out->n;
    unsigned status = page->status ? page->status : causes[page->cause].status;
    struct span type = page->html ? SPAN("text/html; charset=utf-8") : SPAN("text/plain; charset=utf-8");
    struct buf content;
    buf_init(&content, 0);
    bool ok = add_content(&content, page, status) &&
              buf_addf(out, "HTTP/1.1 %u %s\r\n", status, reason_of(status)) && add_proxy_status(out, page) &&
              add_challenge(out, page) && add_gateway(out, page->authenticate, page->authentication_info) &&
              add_rest(out, type, buf_span(&content), page->head_only,
                       connection_of(page->close, page->keep_alive));
    buf_free(&content);
    if (!ok)
        out->n = start;
    return ok;
}

bool page_write_document(struct buf *out, const struct page_document *d)
{
    size_t start = out->n;
    bool ok = buf_add_str(out, "HTTP/1.1 200 OK\r\n") &&
              add_gateway(out, d->authenticate, d->authentication_info) &&
              add_rest(out, d->type, d->content, d->head_only, connection_of(d->close, d->keep_alive));
    if (!ok)
        out->n = start;
    return ok;
}
