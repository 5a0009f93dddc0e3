/*
 * Where a body ends (RFC 9112 section 6.3), once for requests and once for responses. Everything that two
 * readers could understand in two ways is a fault: this is the wall against request smuggling, so spellings
 * are not guessed at.
 *
 * Pure; any thread.
 */
#include "http/framing.h"

static bool refuse(struct fault *fault, unsigned status, const char *why)
{
    *fault = (struct fault){status, why};
    return false;
}

/*
 * Names that some servers take for the real ones, since they turn '-' into '_' for their programs. A message
 * that holds one could have two lengths behind us.
 */
static bool is_disguised(struct span name)
{
    static const struct span real[] = {{"Transfer-Encoding", 17}, {"Content-Length", 14}};
    for (size_t r = 0; r < sizeof real / sizeof *real; r++) {
        if (name.n != real[r].n || span_find(name, '_') == name.n)
            continue;
        size_t i = 0;
        while (i < name.n &&
               ((name.p[i] | 0x20) == (real[r].p[i] | 0x20) || (name.p[i] == '_' && real[r].p[i] == '-')))
            i++;
        if (i == name.n)
            return true;
    }
    return false;
}

/* One Content-Length of digits alone; lists, also of equal numbers, are refused. */
static bool read_length(const struct head *h, const struct field *length, struct body_rule *rule,
                        struct fault *fault)
{
    if (head_field_next(h, length))
        return refuse(fault, 400, "the message has more than one Content-Length");
    if (!span_u64(length->value, &rule->length) || rule->length > INT64_MAX)
        return refuse(fault, 400, "Content-Length is not a plain number");
    rule->kind = BODY_LENGTH;
    return true;
}

/* Transfer-Encoding must be one field that says "chunked" and nothing else; why it is refused depends on what
 * else it says. */
static bool read_coding(const struct head *h, const struct field *coding, struct body_rule *rule,
                        struct fault *fault)
{
    if (h->minor == 0)
        return refuse(fault, 400, "Transfer-Encoding stands in an HTTP/1.0 message");
    if (head_field(h, "Content-Length"))
        return refuse(fault, 400, "the message has both Content-Length and Transfer-Encoding");
    if (head_field_next(h, coding))
        return refuse(fault, 400, "the message has more than one Transfer-Encoding");
    if (span_ieq(coding->value, SPAN("chunked"))) {
        rule->kind = BODY_CHUNKED;
        return true;
    }
    struct span rest = coding->value;
    struct span member;
    size_t members = 0;
    size_t chunked_at = 0; /* of the first "chunked", from 1 */
    while (list_next(&rest, &member)) {
        members++;
        if (!http_token(member))
            return refuse(fault, 400, "Transfer-Encoding is not a list of plain names");
        if (!chunked_at && span_ieq(member, SPAN("chunked")))
            chunked_at = members;
    }
    if (!members || (chunked_at && (chunked_at < members || members == 1)))
        return refuse(fault, 400, "Transfer-Encoding does not say \"chunked\" once, at its end");
    return refuse(fault, 501, "a transfer coding other than \"chunked\" is not understood here");
}

/* What the fields say. BODY_NONE stands for "nothing". */
static bool read_framing(const struct head *h, struct body_rule *rule, struct fault *fault)
{
    *rule = (struct body_rule){.kind = BODY_NONE};
    for (size_t i = 0; i < h->n_fields; i++)
        if (is_disguised(h->fields[i].name))
            return refuse(fault, 400, "a field name is a disguise of Content-Length or Transfer-Encoding");
    const struct field *field = head_field(h, "Transfer-Encoding");
    if (field)
        return read_coding(h, field, rule, fault);
    field = head_field(h, "Content-Length");
    return !field || read_length(h, field, rule, fault);
}

bool framing_request(const struct head *h, struct body_rule *rule, struct fault *fault)
{
    if (!read_framing(h, rule, fault))
        return false;
    if (span_eq(h->method, SPAN("CONNECT"))) {
        if (rule->kind == BODY_CHUNKED || rule->length)
            return refuse(fault, 400, "a CONNECT request has no content (RFC 9110 section 9.3.6)");
        rule->kind = BODY_NONE;
    }
    return true;
}

bool framing_response(const struct head *h, struct span method, struct body_rule *rule, struct fault *fault)
{
    *rule = (struct body_rule){.kind = BODY_TUNNEL};
    if (h->status == 101 || (h->status / 100 == 2 && span_eq(method, SPAN("CONNECT"))))
        return true;
    rule->kind = BODY_NONE;
    if (h->status / 100 == 1 || h->status == 204 || h->status == 304 || span_eq(method, SPAN("HEAD")))
        return true;
    if (!read_framing(h, rule, fault)) {
        fault->status = 502;
        return false;
    }
    if (rule->kind == BODY_NONE)
        rule->kind = BODY_CLOSE;
    return true;
}
