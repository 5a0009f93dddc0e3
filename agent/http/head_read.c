/*
 * The strict pass: bytes of a head to struct head, or a sentence that says what is wrong with them (RFC 9112
 * sections 2 to 5).
 *
 * What is refused here is what two programs on the way could read in two ways: bare CR and LF, NUL and other
 * control characters, white space before a colon or before the first field, folded lines in requests, names
 * that are no tokens, several Host fields. The head copies the bytes once; everything else is a view of this
 * copy. Only obs-fold in responses changes the copy (to SP). Pure; the caller owns the head and frees it.
 * After a refusal the head is empty.
 */
#include <stdlib.h>

#include "http/head.h"
#include "http/octet.h"
#include "http/target.h"

/* Connection is compared with every field when we forward: no honest message needs more than this, in bytes.
 */
#define CONNECTION_MAX 4096

struct reader {
    struct head *h;
    const struct head_limits *limits;
    struct fault *fault;
    size_t at;     /* next byte of h->bytes to read */
    size_t room;   /* allocated fields */
    bool response; /* every fault is 502; obs-fold is read as SP */
    bool lenient;  /* LF alone ends a line */
};

static bool refuse(struct reader *r, unsigned status, const char *why)
{
    *r->fault = (struct fault){r->response ? 502 : status, why};
    return false;
}

/* The next line without its end. */
static bool take_line(struct reader *r, struct span *line)
{
    struct span rest = span_from(buf_span(&r->h->bytes), r->at);
    size_t eol = span_find(rest, '\n');
    if (eol == rest.n)
        return refuse(r, 400, "the head does not end with an empty line");
    r->at += eol + 1;
    *line = span_head(rest, eol);
    if (line->n && line->p[line->n - 1] == '\r')
        line->n--;
    else if (!r->lenient)
        return refuse(r, 400, "a line ends with LF alone instead of CRLF");
    return true;
}

static bool check_text(struct reader *r, struct span text)
{
    size_t good = octet_run(text, OCTET_VALUE);
    if (good == text.n)
        return true;
    char c = text.p[good];
    return refuse(r, 400,
                  c == '\0'   ? "a NUL byte stands in the head"
                  : c == '\r' ? "a CR without LF stands in the head"
                              : "a control character stands in the head");
}

/* "HTTP/1.x": 505 for another major version, 400 for anything else. */
static bool read_version(struct reader *r, struct span text)
{
    if (text.n != 8 || !span_starts(text, SPAN("HTTP/")) || text.p[6] != '.' || text.p[5] < '0' ||
        text.p[5] > '9' || text.p[7] < '0' || text.p[7] > '9')
        return refuse(r, 400, "the start line does not name an HTTP version as in HTTP/1.1");
    if (text.p[5] != '1')
        return refuse(r, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    r->h->minor = text.p[7] != '0';
    return true;
}

static bool read_request_line(struct reader *r)
{
    struct span line;
    if (!take_line(r, &line))
        return false;
    struct span method = span_head(line, octet_run(line, OCTET_TOKEN));
    struct span rest = span_from(line, method.n);
    if (!method.n || !rest.n || rest.p[0] != ' ')
        return refuse(r, 400, "the request line does not begin with a method and a space");
    rest = span_from(rest, 1);
    struct span target = span_head(rest, octet_run(rest, OCTET_TARGET));
    rest = span_from(rest, target.n);
    if (target.n > r->limits->target)
        return refuse(r, 414, "the request target is too long");
    if (!target.n)
        return refuse(r, 400, "the request line has no target, or more than one space before it");
    if (!rest.n)
        return refuse(r, 400, "the request line names no HTTP version");
    if (rest.p[0] != ' ')
        return refuse(r, 400, "the request target holds a character that must be percent-encoded");
    if (!read_version(r, span_from(rest, 1)))
        return false;
    r->h->method = method;
    r->h->target = target;
    return true;
}

/* The space before an empty reason is often left out; nothing else can be meant. */
static bool read_status_line(struct reader *r)
{
    struct span line;
    if (!take_line(r, &line))
        return false;
    if (line.n < 12 || line.p[8] != ' ')
        return refuse(r, 502, "the status line is not that of HTTP/1");
    if (!read_version(r, span_head(line, 8)))
        return false;
    unsigned status = 0;
    for (size_t i = 9; i < 12; i++) {
        if (line.p[i] < '0' || line.p[i] > '9')
            return refuse(r, 502, "the status line holds no status of three digits");
        status = status * 10 + (unsigned)(line.p[i] - '0');
    }
    if (status < 100 || (line.n > 12 && line.p[12] != ' '))
        return refuse(r, 502, "the status line holds no status of three digits");
    r->h->status = status;
    r->h->reason = span_from(line, 13);
    return check_text(r, r->h->reason);
}

/* Continues the value of the last field: what stands between becomes SP, in our copy (RFC 9112 section 5.2).
 */
static bool read_fold(struct reader *r, struct span line)
{
    struct field *last = &r->h->fields[r->h->n_fields - 1];
    if (!check_text(r, line))
        return false;
    size_t from = (size_t)(last->value.p - r->h->bytes.p) + last->value.n;
    size_t end_of_line = (size_t)(line.p - r->h->bytes.p) + line.n;
    size_t to = end_of_line - line.n;
    while (to < end_of_line && (r->h->bytes.p[to] == ' ' || r->h->bytes.p[to] == '\t'))
        to++;
    memset(r->h->bytes.p + from, ' ', to - from);
    size_t start = (size_t)(last->value.p - r->h->bytes.p);
    last->value = span_trim(span_make(r->h->bytes.p + start, end_of_line - start));
    return true;
}

static bool read_field(struct reader *r, struct span line)
{
    struct head *h = r->h;
    if (h->n_fields == r->limits->fields)
        return refuse(r, 431, "the head has too many fields");
    struct span name = span_head(line, octet_run(line, OCTET_TOKEN));
    struct span rest = span_from(line, name.n);
    if (!rest.n || rest.p[0] != ':') {
        struct span behind = span_trim(rest);
        if (behind.n < rest.n && behind.n && behind.p[0] == ':')
            return refuse(r, 400, "white space stands between a field name and its colon");
        return refuse(r, 400,
                      span_find(rest, ':') == rest.n ? "a line of the head has no colon"
                                                     : "a field name holds a character that it must not");
    }
    if (!name.n)
        return refuse(r, 400, "a field has no name");
    rest = span_from(rest, 1);
    if (!check_text(r, rest))
        return false;
    if (h->n_fields == r->room) {
        r->room = r->room ? 2 * r->room : 16;
        h->fields = mem_grow(h->fields, r->room * sizeof *h->fields);
    }
    h->fields[h->n_fields++] = (struct field){name, span_trim(rest)};
    return true;
}

static bool read_fields(struct reader *r)
{
    for (;;) {
        struct span line;
        if (!take_line(r, &line))
            return false;
        if (!line.n)
            break;
        bool ok;
        if (line.p[0] != ' ' && line.p[0] != '\t')
            ok = read_field(r, line);
        else if (!r->h->n_fields)
            ok = refuse(r, 400, "white space stands before the first field");
        else if (!r->response)
            ok = refuse(r, 400, "a field is folded over several lines");
        else
            ok = read_fold(r, line);
        if (!ok)
            return false;
    }
    if (r->at != r->h->bytes.n)
        return refuse(r, 400, "an empty line stands inside the head");
    size_t connection = 0;
    for (const struct field *f = head_field(r->h, "Connection"); f; f = head_field_next(r->h, f))
        connection += f->value.n;
    if (connection > CONNECTION_MAX)
        return refuse(r, 431, "the Connection field is too long");
    return true;
}

/* RFC 9112 section 3.2. An empty Host is legal (a target without authority) and says nothing. */
static bool check_host(struct reader *r)
{
    const struct field *host = head_field(r->h, "Host");
    if (!host)
        return r->h->minor == 0 || refuse(r, 400, "the request has no Host field");
    if (head_field_next(r->h, host))
        return refuse(r, 400, "the request has more than one Host field");
    struct span name;
    bool ipv6;
    uint16_t port;
    if (host->value.n && !target_authority(host->value, 80, &name, &ipv6, &port))
        return refuse(r, 400, "the Host field is not a host name with an optional port");
    return true;
}

static bool begin(struct reader *r, struct span block)
{
    *r->h = (struct head){0};
    if (block.n > r->limits->bytes)
        return refuse(r, 431, "the head is too long");
    buf_init(&r->h->bytes, block.n);
    buf_add_span(&r->h->bytes, block);
    return true;
}

static bool end(struct reader *r, bool ok)
{
    if (!ok)
        head_free(r->h);
    return ok;
}

bool head_read_request(struct head *h, struct span block, const struct head_limits *limits,
                       struct fault *fault)
{
    struct reader r = {.h = h, .limits = limits, .fault = fault};
    return end(&r, begin(&r, block) && read_request_line(&r) && read_fields(&r) && check_host(&r));
}

bool head_read_response(struct head *h, struct span block, const struct head_limits *limits, bool lenient,
                        struct fault *fault)
{
    struct reader r = {.h = h, .limits = limits, .fault = fault, .response = true, .lenient = lenient};
    return end(&r, begin(&r, block) && read_status_line(&r) && read_fields(&r));
}

bool head_read_fields(struct head *h, struct span block, const struct head_limits *limits,
                      struct fault *fault)
{
    struct reader r = {.h = h, .limits = limits, .fault = fault};
    return end(&r, begin(&r, block) && read_fields(&r));
}
