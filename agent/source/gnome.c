/*
 * Values are strings, numbers and lists of strings. A line that cannot be read counts as not there: another program's schema may have grown.
 */
#include "source/gnome.h"

#include <stdlib.h>

#define SCHEMA "org.gnome.system.proxy"

/* --- GVariant's text form --- */

static void add_utf8(struct buf *out, uint32_t c)
{
    char bytes[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        bytes[i] = (char)(0x80 | (c & 0x3f));
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    bytes[0] = (char)(lead[n] | c);
    buf_add(out, bytes, n);
}

static bool hex_digits(struct span *rest, size_t n, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        char c = i < rest->n ? rest->p[i] : 0;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return false;
        *out = *out * 16 + (uint32_t)digit;
    }
    *rest = span_from(*rest, n);
    return *out != 0 && *out <= 0x10ffff;
}

static bool escaped(struct span *rest, struct buf *out)
{
    static const char from[] = "abfnrtv", to[] = "\a\b\f\n\r\t\v";
    char c = rest->p[0];
    uint32_t code;
    *rest = span_from(*rest, 1);
    if (c == 'u' || c == 'U') {
        if (!hex_digits(rest, c == 'u' ? 4 : 8, &code))
            return false;
        add_utf8(out, code);
        return true;
    }
    const char *at = c ? strchr(from, c) : NULL;
    buf_add(out, at ? &to[at - from] : &c, 1);
    return true;
}

/* A string, off the front of *rest. */
static bool take_string(struct span *rest, struct buf *out)
{
    buf_clear(out);
    if (rest->n == 0 || (rest->p[0] != '\'' && rest->p[0] != '"'))
        return false;
    char quote = rest->p[0];
    *rest = span_from(*rest, 1);
    while (rest->n && rest->p[0] != quote) {
        if (rest->p[0] == '\\' && rest->n > 1) {
            *rest = span_from(*rest, 1);
            if (!escaped(rest, out))
                return false;
        } else {
            buf_add(out, rest->p, 1);
            *rest = span_from(*rest, 1);
        }
    }
    bool closed = rest->n > 0;
    *rest = span_from(*rest, 1);
    return closed;
}

/* What would be a line or two of its own in a log, or in a head, is no host and no URL. */
static bool is_clean(const struct buf *text)
{
    for (size_t i = 0; i < text->n; i++)
        if ((unsigned char)text->p[i] < 0x20 || text->p[i] == 0x7f)
            return false;
    return true;
}

/* --- keys --- */

struct reading {
    struct settings *s;
    struct buf text; /* of the string that was read last */
    bool mode;
    struct {
        char *host;
        uint64_t port;
    } places[3]; /* http, https, socks */
};

static const char *const schemas[] = {SCHEMA ".http", SCHEMA ".https", SCHEMA ".socks"};

static void read_mode(struct reading *r)
{
    static const char *const modes[] = {
        [SETTINGS_NONE] = "none", [SETTINGS_PAC] = "auto", [SETTINGS_MANUAL] = "manual"};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (modes[i] && span_eq(buf_span(&r->text), span_str(modes[i]))) {
            r->s->say = (enum settings_say)i;
            r->mode = true;
        }
}

static void read_ignored(struct reading *r, struct span value)
{
    span_cut(&value, '[');
    while (value.n) {
        value = span_trim(value);
        if (!take_string(&value, &r->text))
            return;
        if (is_clean(&r->text))
            settings_ignore(r->s, buf_span(&r->text));
        span_cut(&value, ',');
    }
}

static void read_key(struct reading *r, struct span schema, struct span key, struct span value)
{
    bool own = span_eq(schema, SPAN(SCHEMA));
    if (own && span_eq(key, SPAN("ignore-hosts"))) {
        read_ignored(r, value);
        return;
    }
    for (size_t i = 0; i < 3; i++)
        if (span_eq(schema, span_str(schemas[i])) && span_eq(key, SPAN("port")))
            (void)span_u64(value, &r->places[i].port);
    if (!take_string(&value, &r->text) || !is_clean(&r->text))
        return;
    if (own && span_eq(key, SPAN("mode")))
        read_mode(r);
    if (own && span_eq(key, SPAN("autoconfig-url"))) {
        free(r->s->pac);
        r->s->pac = r->text.n ? span_dup(buf_span(&r->text)) : NULL;
    }
    for (size_t i = 0; i < 3; i++)
        if (span_eq(schema, span_str(schemas[i])) && span_eq(key, SPAN("host"))) {
            free(r->places[i].host);
            r->places[i].host = span_dup(span_trim(buf_span(&r->text)));
        }
}

bool gnome_read(struct span listing, struct settings *s)
{
    struct reading r = {.s = s};
    struct settings_proxy *proxies[] = {&s->http, &s->https, &s->socks};
    *s = (struct settings){0};
    while (listing.n) {
        struct span line = span_cut(&listing, '\n');
        struct span schema = span_cut(&line, ' '), key = span_cut(&line, ' ');
        read_key(&r, schema, key, span_trim(line));
    }
    for (size_t i = 0; i < 3; i++) {
        struct span scheme, host = span_str(r.places[i].host);
        if (host.n && !settings_proxy_set(proxies[i], host, r.places[i].port))
            settings_proxy_read(proxies[i], host, (uint16_t)(r.places[i].port % 65536),
                                &scheme); /* people write URLs there */
        free(r.places[i].host);
    }
    buf_free(&r.text);
    if (r.mode && s->say == SETTINGS_PAC && !s->pac)
        s->say = SETTINGS_WPAD; /* so do GNOME's own programs read it */
    if (!r.mode)
        settings_free(s);
    return r.mode;
}
