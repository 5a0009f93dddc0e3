/*
 * Where the PAC script comes from: a URL, a file or the desktop's settings. Any thread.
 */
#include <stdlib.h>

#include "base/url.h"
#include "config/ini.h"
#include "config/kinds.h"

#define SYSTEM    SPAN("system")
#define FILE_HERE SPAN("file://localhost/") /* the same as an empty host: RFC 8089 section 2 */

static int hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

char *path_of_file_url(struct span url, struct err *e)
{
    struct buf path = {0};
    struct span rest = span_from(url, span_istarts(url, FILE_HERE)         ? FILE_HERE.n - 1
                                      : span_istarts(url, SPAN("file://")) ? 7
                                                                           : 5);
    bool good = rest.n > 1 && rest.p[0] == '/';
    for (size_t i = 0; good && i < rest.n; i++) {
        char c = rest.p[i];
        if (c == '%') {
            int high = i + 2 < rest.n ? hex_of(rest.p[i + 1]) : -1;
            int low = i + 2 < rest.n ? hex_of(rest.p[i + 2]) : -1;
            good = high >= 0 && low >= 0 && high + low > 0;
            c = (char)(high * 16 + low);
            i += 2;
        }
        buf_add(&path, &c, 1);
    }
    char *result = good ? span_dup(buf_span(&path)) : NULL;
    buf_free(&path);
    if (!good)
        err_set(e, ERR_CONFIG, "%s names no file of this machine; write file:///PATH or /PATH",
                shown(url).text);
    return result;
}

/* The URL is quoted only where it holds nobody's password. */
static bool read_url(struct config *c, struct span value, struct err *e)
{
    struct url u;
    const char *wrong = url_read(&u, value);
    if (wrong)
        return err_set(e, ERR_CONFIG, "the URL %s", wrong);
    c->pac = PAC_FROM_URL;
    c->pac_place = span_dup(value);
    return true;
}

static bool parse_pac(const struct setting *s, void *object, struct span value, struct err *e)
{
    struct config *c = object;
    (void)s;
    if (value.n == 0)
        return err_set(e, ERR_CONFIG, "the value is empty; leave the line out for no PAC script");
    if (span_eq(value, SYSTEM)) {
        c->pac = PAC_FROM_SYSTEM;
        return true;
    }
    if (url_has_scheme(value, "http") || url_has_scheme(value, "https"))
        return read_url(c, value, e);
    if (url_has_scheme(value, "file")) {
        c->pac_place = path_of_file_url(value, e);
    } else if (value.p[0] == '/' || value.p[0] == '~') {
        c->pac_place = path_absolute(value, e);
    } else {
        return err_set(e, ERR_CONFIG,
                       "this is no http:// or https:// URL, no path (/PATH, ~/PATH) and not the word system");
    }
    c->pac = PAC_FROM_FILE;
    return c->pac_place != NULL;
}

static bool print_pac(const struct setting *s, const void *object, struct buf *out)
{
    const struct config *c = object;
    (void)s;
    if (c->pac == PAC_FROM_SYSTEM)
        buf_add_span(out, SYSTEM);
    else if (c->pac != PAC_FROM_NOWHERE)
        ini_put_value(out, span_str(c->pac_place));
    return c->pac != PAC_FROM_NOWHERE;
}

const struct kind kind_pac = {"an http:, https: or file: URL, a path, or system", false, parse_pac,
                              print_pac};
