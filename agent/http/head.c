/*
 * Looking at heads: where one ends, and what its fields say. The strict pass that makes a head out of bytes
 * is in head_read.c.
 *
 * Pure functions over bytes that the caller or the head owns; any thread, one at a time for each head.
 * Nothing allocates here.
 */
#include "http/head.h"

#include <stdlib.h>

#include "base/secret.h"
#include "http/octet.h"

const struct head_limits head_limits_default = {
    .bytes = 256 * 1024,
    .target = 64 * 1024,
    .fields = 1000,
};

/* VT: VCHAR, what each printable character is at least. */
#define VT (OCTET_VALUE | OCTET_TARGET)
#define TC (VT | OCTET_TOKEN)
#define HC (TC | OCTET_HOST)
const uint8_t octet_table[256] = {
    ['\t'] = OCTET_VALUE,
    [' '] = OCTET_VALUE,
    ['!'] = TC,
    ['"'] = VT,
    ['#' ... '\''] = TC,
    ['(' ... ')'] = VT,
    ['*' ... '+'] = TC,
    [','] = VT,
    ['-' ... '.'] = HC,
    ['/'] = VT,
    ['0' ... '9'] = HC | OCTET_HEX,
    [':' ... '@'] = VT,
    ['A' ... 'F'] = HC | OCTET_HEX,
    ['G' ... 'Z'] = HC,
    ['[' ... ']'] = VT,
    ['^'] = TC,
    ['_'] = HC,
    ['`'] = TC,
    ['a' ... 'f'] = HC | OCTET_HEX,
    ['g' ... 'z'] = HC,
    ['{'] = VT,
    ['|'] = TC,
    ['}'] = VT,
    ['~'] = HC,
    [0x80 ... 0xff] = OCTET_VALUE,
};
#undef VT
#undef TC
#undef HC

/*
 * The head ends behind the first empty line. *scanned is the start of the line that the search stands in, so
 * each byte is looked at once, but for the part of a line that trickles in.
 */
size_t head_end(struct span bytes, size_t *scanned)
{
    size_t at = *scanned;
    while (at < bytes.n) {
        size_t eol = at + span_find(span_from(bytes, at), '\n');
        if (eol == bytes.n)
            break;
        if (eol == at || (eol == at + 1 && bytes.p[at] == '\r'))
            return eol + 1;
        at = eol + 1;
    }
    *scanned = at;
    return 0;
}

void head_wipe_field(struct head *h, const char *name)
{
    size_t kept = 0;
    for (size_t i = 0; i < h->n_fields; i++) {
        struct field f = h->fields[i];
        if (!span_ieq(f.name, span_str(name)))
            h->fields[kept++] = f;
        else if (f.value.n)
            secret_wipe(h->bytes.p + (f.value.p - h->bytes.p), f.value.n);
    }
    h->n_fields = kept;
}

size_t head_skip_empty_lines(struct span bytes)
{
    size_t at = 0;
    while (at < 4 && span_starts(span_from(bytes, at), SPAN("\r\n")))
        at += 2;
    return at;
}

void head_free(struct head *h)
{
    secret_wipe(h->bytes.p, h->bytes.n); /* it may have had credentials in it */
    buf_free(&h->bytes);
    free(h->fields);
    *h = (struct head){0};
}

void head_move(struct head *to, struct head *from)
{
    *to = *from;
    *from = (struct head){0};
}

static const struct field *find_from(const struct head *h, size_t i, struct span name)
{
    for (; i < h->n_fields; i++)
        if (span_ieq(h->fields[i].name, name))
            return &h->fields[i];
    return NULL;
}

const struct field *head_field(const struct head *h, const char *name)
{
    return find_from(h, 0, span_str(name));
}

const struct field *head_field_next(const struct head *h, const struct field *after)
{
    return find_from(h, (size_t)(after - h->fields) + 1, after->name);
}

size_t head_field_count(const struct head *h, const char *name)
{
    struct span wanted = span_str(name);
    size_t n = 0;
    for (size_t i = 0; i < h->n_fields; i++)
        n += span_ieq(h->fields[i].name, wanted);
    return n;
}

bool list_next(struct span *rest, struct span *member)
{
    size_t i = 0;
    while (i < rest->n && (rest->p[i] == ',' || rest->p[i] == ' ' || rest->p[i] == '\t'))
        i++;
    if (i == rest->n) {
        *rest = span_from(*rest, i);
        return false;
    }
    size_t start = i;
    bool quoted = false;
    for (; i < rest->n && (quoted || rest->p[i] != ','); i++) {
        if (rest->p[i] == '"')
            quoted = !quoted;
        else if (quoted && rest->p[i] == '\\' && i + 1 < rest->n)
            i++;
    }
    *member = span_trim(span_make(rest->p + start, i - start));
    *rest = span_from(*rest, i + 1);
    return true;
}

bool head_has_token(const struct head *h, const char *name, const char *token)
{
    struct span wanted = span_str(token);
    for (const struct field *f = head_field(h, name); f; f = head_field_next(h, f)) {
        struct span rest = f->value;
        struct span member;
        while (list_next(&rest, &member))
            if (span_ieq(span_trim(span_head(member, span_find(member, ';'))), wanted))
                return true;
    }
    return false;
}

bool http_token(struct span s)
{
    return s.n && octet_run(s, OCTET_TOKEN) == s.n;
}
