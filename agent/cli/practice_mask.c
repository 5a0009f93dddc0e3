/*
 * What is shown is what is known to hold no secret, by name: fields, schemes, parameters of schemes. Of anything else there is the length. In addresses, neither
 * who logs in nor the query is shown. Tables of fields, of schemes and of parameters.
 */
#include "cli/practice_mask.h"

enum kind { HIDDEN, PLAIN, ADDRESS, CREDENTIALS };

static const struct {
    const char *name;
    enum kind kind;
} fields[] = {
    {"Proxy-Authorization", CREDENTIALS},
    {"Proxy-Authenticate", CREDENTIALS},
    {"Authorization", CREDENTIALS},
    {"WWW-Authenticate", CREDENTIALS},
    {"Location", ADDRESS},
    {"Content-Location", ADDRESS},
    {"Referer", ADDRESS},
    {"Accept", PLAIN},
    {"Accept-Encoding", PLAIN},
    {"Accept-Language", PLAIN},
    {"Accept-Ranges", PLAIN},
    {"Age", PLAIN},
    {"Allow", PLAIN},
    {"Cache-Control", PLAIN},
    {"Connection", PLAIN},
    {"Content-Encoding", PLAIN},
    {"Content-Language", PLAIN},
    {"Content-Length", PLAIN},
    {"Content-Range", PLAIN},
    {"Content-Type", PLAIN},
    {"Date", PLAIN},
    {"Expect", PLAIN},
    {"Expires", PLAIN},
    {"Host", PLAIN},
    {"If-Modified-Since", PLAIN},
    {"Keep-Alive", PLAIN},
    {"Last-Modified", PLAIN},
    {"Max-Forwards", PLAIN},
    {"Pragma", PLAIN},
    {"Proxy-Connection", PLAIN},
    {"Proxy-Status", PLAIN},
    {"Proxy-Support", PLAIN},
    {"Range", PLAIN},
    {"Retry-After", PLAIN},
    {"Server", PLAIN},
    {"TE", PLAIN},
    {"Trailer", PLAIN},
    {"Transfer-Encoding", PLAIN},
    {"Upgrade", PLAIN},
    {"User-Agent", PLAIN},
    {"Vary", PLAIN},
    {"Via", PLAIN},
    {"X-Content-Type-Options", PLAIN},
};

static const char *const schemes[] = {"Negotiate", "NTLM", "Kerberos", "Digest", "Basic", "Bearer"};

/* Parameters (RFC 7616 section 3.3 and 3.4, RFC 7617 section 2); those that may be read by anybody. */
static const struct {
    const char *name;
    enum kind kind;
} parameters[] = {
    {"realm", PLAIN},  {"qop", PLAIN},      {"algorithm", PLAIN}, {"uri", ADDRESS},     {"nc", PLAIN},
    {"stale", PLAIN},  {"username", PLAIN}, {"charset", PLAIN},   {"userhash", PLAIN},  {"domain", ADDRESS},
    {"nonce", HIDDEN}, {"opaque", HIDDEN},  {"cnonce", HIDDEN},   {"response", HIDDEN},
};

static bool is_scheme(struct span name)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (span_ieq(name, span_str(schemes[i])))
            return true;
    return false;
}

static void put_hidden(struct buf *out, size_t n)
{
    buf_addf(out, "(%zu character%s)", n, n == 1 ? "" : "s");
}

/* Where the authority ends, from behind "//". */
static size_t authority_end(struct span s)
{
    size_t end = 0;
    while (end < s.n && !strchr("/?#\"", s.p[end]))
        end++;
    return end;
}

static void put_authority(struct buf *out, struct span authority)
{
    size_t at = span_rfind(authority, '@');
    if (at < authority.n) {
        put_hidden(out, at);
        authority = span_from(authority, at);
    }
    buf_add_span(out, authority);
}

/* Of "http://user:password@host/path?query#fragment", also between quotes, what leads to host and path; and "host:port", "*", "/path?query". */
static void put_address(struct buf *out, struct span s)
{
    struct span close = span_ends(s, SPAN("\"")) ? SPAN("\"") : SPAN("");
    s = span_head(s, s.n - close.n);
    for (size_t at = 0; at + 1 < s.n && !strchr("?#", s.p[at]); at++)
        if (s.p[at] == '/' && s.p[at + 1] == '/') {
            buf_add_span(out, span_head(s, at + 2));
            s = span_from(s, at + 2);
            break;
        }
    size_t end = authority_end(s);
    put_authority(out, span_head(s, end));
    s = span_from(s, end);
    size_t query = 0;
    while (query < s.n && !strchr("?#", s.p[query]))
        query++;
    buf_add_span(out, span_head(s, query));
    if (query < s.n) {
        buf_add(out, s.p + query, 1);
        put_hidden(out, s.n - query - 1);
    }
    buf_add_span(out, close);
}

static void put_value(struct buf *out, enum kind kind, struct span value)
{
    switch (kind) {
    case PLAIN:
        buf_add_span(out, value);
        break;
    case ADDRESS:
        put_address(out, value);
        break;
    default:
        put_hidden(out, value.n);
        break;
    }
}

/* A token, or a quoted string and nothing behind it. */
static bool is_value(struct span s)
{
    if (s.n < 2 || s.p[0] != '"')
        return http_token(s);
    for (size_t i = 1; i + 1 < s.n; i++) {
        if (s.p[i] == '"')
            return false;
        if (s.p[i] == '\\')
            i++;
    }
    return s.p[s.n - 1] == '"';
}

static void put_parameter(struct buf *out, struct span whole)
{
    struct span value = whole, name = span_trim(span_cut(&value, '='));
    value = span_trim(value);
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
        if (span_ieq(name, span_str(parameters[i].name))) {
            buf_addf(out, "%s=", parameters[i].name);
            put_value(out, is_value(value) ? parameters[i].kind : HIDDEN, value);
            return;
        }
    put_hidden(out, whole.n);
}

/* Parameters between commas, of which the first is known: a token has none, though it may hold "=". */
static bool has_parameters(struct span text)
{
    struct span name = span_trim(span_cut(&text, '='));
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
        if (span_ieq(name, span_str(parameters[i].name)))
            return true;
    return false;
}

static void put_credentials(struct buf *out, struct span value)
{
    struct span member, all = value, scheme = span_word(&value), rest = span_trim(value);
    const char *before = " ";
    if (!is_scheme(scheme)) {
        put_hidden(out, all.n);
        return;
    }
    buf_add_span(out, scheme);
    if (rest.n && !has_parameters(rest)) {
        buf_add_str(out, before);
        put_hidden(out, rest.n);
        return;
    }
    while (list_next(&rest, &member)) {
        buf_add_str(out, before);
        before = ", ";
        put_parameter(out, member);
    }
}

static enum kind kind_of(struct span name)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (span_ieq(name, span_str(fields[i].name)))
            return fields[i].kind;
    return HIDDEN;
}

static void put_field(struct buf *out, const struct field *f)
{
    enum kind kind = kind_of(f->name);
    buf_addf(out, "%.*s: ", SPAN_ARG(f->name));
    if (kind == CREDENTIALS)
        put_credentials(out, f->value);
    else
        put_value(out, kind, f->value);
}

/* --- brief --- */

#define OFFER "Proxy-Authenticate"

/* The names alone, of several challenges. */
static void put_offers(struct buf *out, const struct head *h)
{
    struct span last = SPAN("");
    buf_add_str(out, OFFER ":");
    for (const struct field *f = head_field(h, OFFER); f; f = head_field_next(h, f)) {
        struct span value = f->value, scheme = span_word(&value);
        if (span_ieq(scheme, last))
            continue;
        buf_add_str(out, last.n ? ", " : " ");
        if (is_scheme(scheme))
            buf_add_span(out, scheme);
        else
            put_hidden(out, f->value.n);
        last = scheme;
    }
    buf_add_str(out, " (in short)");
}

void practice_mask(struct buf *out, const struct head *h, const char *indent, bool brief)
{
    bool several = head_field_count(h, OFFER) > 1;
    buf_add_str(out, indent);
    if (h->method.n) {
        buf_addf(out, "%.*s ", SPAN_ARG(h->method));
        put_address(out, h->target);
        buf_addf(out, " HTTP/1.%u\n", h->minor);
    } else {
        buf_addf(out, "HTTP/1.%u %u %.*s\n", h->minor, h->status, SPAN_ARG(h->reason));
    }
    for (size_t i = 0; i < h->n_fields; i++) {
        const struct field *f = &h->fields[i];
        bool short_here = brief && several && span_ieq(f->name, SPAN(OFFER));
        if (short_here && f != head_field(h, OFFER))
            continue;
        buf_add_str(out, indent);
        if (short_here)
            put_offers(out, h);
        else
            put_field(out, f);
        buf_add_str(out, "\n");
    }
}
