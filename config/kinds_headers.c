/*
 * Changes to the fields of requests: "PATTERN Name: value" and "PATTERN Name", where PATTERN is what [route] rule takes too, or upstream:NAME. Patterns
 * are read again where they are matched (agent/route). What frames a message, leads it, or says who somebody is belongs to exeat alone.
 * Any thread.
 */
#include <ctype.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/nearest.h"
#include "base/pattern.h"
#include "config/ini.h"
#include "config/kinds.h"
#include "config/whole.h"

#define UPSTREAM_PREFIX SPAN("upstream:")

/* Fields that nobody may change, and why. A name that ends in a hyphen stands for all that begin so. */
static const struct {
    const char *name, *why;
} untouchable[] = {
#define FRAMES "it says where the message ends (RFC 9112 section 6)"
#define HOP    "it is about one connection, and exeat writes it for each of its own (RFC 9110 section 7.6.1)"
#define LEADS  "it says where the request goes"
#define WHO    "it is how somebody proves who he is, and a configuration holds no secrets"
#define LOOPS  "it is how requests that run in a circle are found (RFC 9110 section 7.6)"
#define AGREED "what it announces has to be true of what follows, and exeat does not know"
    {"Content-Length", FRAMES},
    {"Transfer-Encoding", FRAMES},
    {"Content-Encoding", AGREED},
    {"Content-Range", AGREED},
    {"Trailer", AGREED},
    {"Expect", AGREED},
    {"Connection", HOP},
    {"Keep-Alive", HOP},
    {"TE", HOP},
    {"Upgrade", HOP},
    {"HTTP2-Settings", HOP},
    {"Sec-WebSocket-", HOP},
    {"Proxy-", "fields of that name are between exeat and the proxy"},
    {"Host", LEADS},
    {"Via", LOOPS},
    {"Max-Forwards", LOOPS},
    {"Authorization", WHO},
    {"Authentication-", WHO},
    {"WWW-Authenticate", WHO},
    {"Cookie", WHO},
#undef FRAMES
#undef HOP
#undef LEADS
#undef WHO
#undef LOOPS
#undef AGREED
};

/* Of these a request has one at most (RFC 9110 section 5.3). */
static const char *const single[] = {"User-Agent",          "Referer", "From",     "Date",
                                     "Content-Type",        "Range",   "If-Range", "If-Modified-Since",
                                     "If-Unmodified-Since", "Origin",  "DNT"};

/* tchar of RFC 9110 section 5.6.2 */
static bool is_token(struct span name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!isalnum((unsigned char)name.p[i]) && !strchr("!#$%&'*+-.^_`|~", name.p[i]))
            return false;
    return name.n > 0;
}

static bool may_change(enum header_edit edit, struct span name, struct err *e)
{
    if (!is_token(name))
        return err_set(e, ERR_CONFIG, "%s is not the name of a field", shown(name).text);
    for (size_t i = 0; i < sizeof untouchable / sizeof *untouchable; i++) {
        struct span row = span_str(untouchable[i].name);
        bool family = row.p[row.n - 1] == '-';
        if (family ? span_istarts(name, row) : span_ieq(name, row))
            return err_set(e, ERR_CONFIG, "%.*s cannot be changed: %s", SPAN_ARG(span_head(name, 60)),
                           untouchable[i].why);
    }
    for (size_t i = 0; edit == HEADER_ADD && i < sizeof single / sizeof *single; i++)
        if (span_ieq(name, span_str(single[i])))
            return err_set(e, ERR_CONFIG,
                           "a request has one %s at most; write set = in place of add =", single[i]);
    return true;
}

/* Control characters have been refused with the whole line, HTAB excepted. */
static bool is_value(struct span value, struct err *e)
{
    if (value.n == 0)
        return err_set(e, ERR_CONFIG, "the field has no value; to take a field away write remove =");
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (c >= 0x7f || (c < ' ' && c != '\t'))
            return err_set(e, ERR_CONFIG,
                           "the value has a character beyond ASCII, of which no two receivers think the same "
                           "(RFC 9110 section 5.5)");
    }
    return true;
}

static enum header_edit edit_of(const struct setting *s)
{
    return strcmp(s->name, "set") == 0   ? HEADER_SET
           : strcmp(s->name, "add") == 0 ? HEADER_ADD
                                         : HEADER_REMOVE;
}

static bool read_field(struct config_header *h, struct span text, struct err *e)
{
    size_t colon = span_find(text, ':');
    struct span name = span_head(text, colon), value = span_trim(span_from(text, colon + 1));
    if (h->edit == HEADER_REMOVE && colon < text.n)
        return err_set(e, ERR_CONFIG, "remove = takes a pattern and the name of a field: * Referer");
    if (h->edit != HEADER_REMOVE && colon == text.n)
        return err_set(e, ERR_CONFIG,
                       "write a pattern (or upstream:NAME) and a field: * User-Agent: curl/8.0");
    h->name = span_dup(name);
    if (!may_change(h->edit, name, e))
        return false;
    if (h->edit == HEADER_REMOVE)
        return true;
    h->value = span_dup(value);
    return is_value(value, e);
}

/* Each line adds one. */
static bool parse_header(const struct setting *s, void *object, struct span value, struct err *e)
{
    struct config *c = object;
    struct buf where = {0}, field = {0};
    c->headers = mem_grow(c->headers, (c->n_headers + 1) * sizeof *c->headers);
    struct config_header *h = &c->headers[c->n_headers++];
    *h = (struct config_header){.edit = edit_of(s)};
    int found = ini_item(&value, &where, e);
    bool ok = found >= 0 && ini_value(span_trim(value), &field, e);
    struct span pattern = buf_span(&where);
    if (ok && span_starts(pattern, UPSTREAM_PREFIX))
        h->upstream = span_dup(span_from(pattern, UPSTREAM_PREFIX.n));
    else if (ok)
        h->pattern = span_dup(pattern);
    ok = ok && read_field(h, span_trim(buf_span(&field)), e) && (h->upstream || pattern_check(pattern, e));
    buf_free(&where);
    buf_free(&field);
    return ok;
}

static bool print_headers(const struct setting *s, const void *object, struct buf *out)
{
    const struct config *c = object;
    bool any = false;
    for (size_t i = 0; i < c->n_headers; i++) {
        const struct config_header *h = &c->headers[i];
        if (h->edit != edit_of(s))
            continue;
        struct buf where = {0}, field = {0};
        buf_addf(&where, "%s%s", h->upstream ? "upstream:" : "", h->upstream ? h->upstream : h->pattern);
        buf_addf(&field, "%s%s%s", h->name, h->value ? ": " : "", h->value ? h->value : "");
        if (any)
            buf_addf(out, "\n%s = ", s->name);
        ini_put_item(out, buf_span(&where));
        buf_add_str(out, " ");
        ini_put_value(out, buf_span(&field));
        buf_free(&where);
        buf_free(&field);
        any = true;
    }
    return any;
}

const struct kind kind_headers = {
    "PATTERN FIELD or upstream:NAME FIELD, where FIELD is \"Name: value\" (of remove: Name); a line for each",
    true, parse_header, print_headers};

bool whole_check_headers(const struct config_whole *w, struct err *e)
{
    const struct section *section = section_find(SPAN("headers"));
    static const char *const keys[] = {
        [HEADER_SET] = "set", [HEADER_ADD] = "add", [HEADER_REMOVE] = "remove"};
    for (size_t i = 0; i < w->c.n_headers; i++) {
        const struct config_header *h = &w->c.headers[i];
        if (!h->upstream || config_upstream_named(&w->c, span_str(h->upstream)))
            continue;
        struct nearest near;
        nearest_begin(&near, span_str(h->upstream));
        for (size_t k = 0; k < w->c.n_upstreams; k++)
            nearest_offer(&near, w->c.upstreams[k].name);
        err_set(e, ERR_CONFIG, "%s = upstream:%s %s: there is no [upstream %s]%s%s%s", keys[h->edit],
                h->upstream, h->name, h->upstream, near.name ? "; did you mean \"" : "",
                near.name ? near.name : "", near.name ? "\"?" : "");
        struct origin at =
            w->single[section - sections].keys[setting_find(section, span_str(keys[h->edit])) - settings];
        return origin_blame((struct origin){.place = at.place}, e); /* the line is that of the first only */
    }
    return true;
}
