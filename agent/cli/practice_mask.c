/*
 * What is hidden: in fields that carry credentials, everything behind the scheme's name, but for the parameters of Digest that show how it works and
 * hold no secret; and cookies. A table of fields, a table of parameters.
 */
#include "cli/practice_mask.h"

enum kind { PLAIN, CREDENTIALS, HIDDEN };

static const struct {
    const char *name;
    enum kind kind;
} fields[] = {
    {"Proxy-Authorization", CREDENTIALS},
    {"Proxy-Authenticate", CREDENTIALS},
    {"Authorization", CREDENTIALS},
    {"WWW-Authenticate", CREDENTIALS},
    {"Cookie", HIDDEN},
    {"Set-Cookie", HIDDEN},
};

/* Parameters (RFC 7616 section 3.3 and 3.4, RFC 7617 section 2) that may be read by anybody. */
static const char *const open_parameters[] = {"realm", "qop",      "algorithm", "uri",      "nc",
                                              "stale", "username", "charset",   "userhash", "domain"};

static enum kind kind_of(struct span name)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (span_ieq(name, span_str(fields[i].name)))
            return fields[i].kind;
    return PLAIN;
}

static bool is_open(struct span name)
{
    for (size_t i = 0; i < sizeof open_parameters / sizeof *open_parameters; i++)
        if (span_ieq(name, span_str(open_parameters[i])))
            return true;
    return false;
}

static void put_hidden(struct buf *out, size_t n)
{
    buf_addf(out, "(%zu characters)", n);
}

/* Parameters between commas; a token has none, though it may end with "=". */
static bool has_parameters(struct span text)
{
    size_t at = span_find(text, '=');
    return at + 1 < text.n && text.p[at + 1] != '=' && http_token(span_trim(span_head(text, at)));
}

static void put_credentials(struct buf *out, struct span value)
{
    struct span member, scheme = span_word(&value), rest = span_trim(value);
    const char *before = " ";
    buf_add_span(out, scheme);
    if (rest.n && !has_parameters(rest)) {
        buf_add_str(out, before);
        put_hidden(out, rest.n);
        return;
    }
    while (list_next(&rest, &member)) {
        struct span whole = member, name = span_trim(span_cut(&member, '='));
        buf_add_str(out, before);
        before = ", ";
        if (is_open(name)) {
            buf_add_span(out, whole);
        } else {
            buf_addf(out, "%.*s=", SPAN_ARG(name));
            put_hidden(out, member.n);
        }
    }
}

static void put_field(struct buf *out, const struct field *f)
{
    buf_addf(out, "%.*s: ", SPAN_ARG(f->name));
    switch (kind_of(f->name)) {
    case PLAIN:
        buf_add_span(out, f->value);
        break;
    case CREDENTIALS:
        put_credentials(out, f->value);
        break;
    case HIDDEN:
        put_hidden(out, f->value.n);
        break;
    }
}

void practice_mask(struct buf *out, const struct head *h, const char *indent)
{
    buf_add_str(out, indent);
    if (h->method.n)
        buf_addf(out, "%.*s %.*s HTTP/1.%u\n", SPAN_ARG(h->method), SPAN_ARG(h->target), h->minor);
    else
        buf_addf(out, "HTTP/1.%u %u %.*s\n", h->minor, h->status, SPAN_ARG(h->reason));
    for (size_t i = 0; i < h->n_fields; i++) {
        buf_add_str(out, indent);
        put_field(out, &h->fields[i]);
        buf_add_str(out, "\n");
    }
}
