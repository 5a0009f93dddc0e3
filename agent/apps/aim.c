/*
 * The listener and the exceptions, in the dialects of client programs: a table of forms.
 */
#include "apps/aim.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>

static void add(char ***list, size_t *n, struct span text)
{
    *list = mem_grow(*list, (*n + 1) * sizeof **list);
    (*list)[(*n)++] = span_dup(text);
}

static bool has(const struct aim *t, struct span text)
{
    for (size_t i = 0; i < t->n_direct; i++)
        if (span_ieq(span_str(t->direct[i]), text))
            return true;
    return false;
}

/* "host:port" with a host and port that need no quotes anywhere. */
static bool read_place(struct aim *t, struct span place)
{
    size_t colon = span_rfind(place, ':');
    struct span host = span_head(place, colon);
    uint64_t port;
    if (colon == place.n || !host.n || !span_u64(span_from(place, colon + 1), &port) || !port || port > 65535)
        return false;
    if (span_starts(host, SPAN("[")) && span_ends(host, SPAN("]")))
        host = span_make(host.p + 1, host.n - 2);
    for (size_t i = 0; i < host.n; i++)
        if (!isalnum((unsigned char)host.p[i]) && !strchr(".-:_", host.p[i]))
            return false;
    if (!host.n)
        return false;
    if (span_eq(host, SPAN("0.0.0.0")) || span_eq(host, SPAN("::")))
        host = host.p[0] == '0' ? SPAN("127.0.0.1") : SPAN("::1");
    struct buf url = {0};
    bool six = span_find(host, ':') < host.n;
    buf_addf(&url, six ? "http://[%.*s]:%u" : "http://%.*s:%u", SPAN_ARG(host), (unsigned)port);
    t->url = mem_strdup(buf_cstr(&url));
    buf_free(&url);
    t->host = span_dup(host);
    t->port = (uint16_t)port;
    return true;
}

bool aim_init(struct aim *t, const char *listener)
{
    static const char *const ours[] = {"localhost", "127.0.0.1", "127.0.0.0/8", "::1"};
    *t = (struct aim){0};
    t->program = realpath("/proc/self/exe", NULL);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        add(&t->direct, &t->n_direct, span_str(ours[i]));
    return strncmp(listener, "unix:", 5) != 0 && read_place(t, span_str(listener));
}

bool aim_read(struct aim *t, const char *typed, struct err *e)
{
    struct span place = span_str(typed);
    if (span_istarts(place, SPAN("http://")))
        place = span_from(place, 7);
    if (span_ends(place, SPAN("/")))
        place.n--;
    char *copy = span_dup(place);
    bool ok = aim_init(t, copy);
    free(copy);
    return ok ||
           err_set(e, ERR_USAGE, "\"%s\" is not where an exeat could listen: write http://HOST:PORT", typed);
}

/* Patterns with a port, with stars inside, or for names without a dot have no counterpart in no_proxy. "*.x" has: ".x". */
void aim_add_direct(struct aim *t, const char *pattern)
{
    struct span p = span_str(pattern);
    if (span_starts(p, SPAN("*.")))
        p = span_from(p, 1);
    size_t colon = span_find(p, ':');
    bool many = colon < p.n && span_rfind(p, ':') != colon;
    bool good = p.n > 0 && (colon == p.n || many);
    if (many && p.p[0] == '[') { /* [v6], [v6/n]; [v6]:port has no counterpart */
        good = p.p[p.n - 1] == ']';
        p = good ? span_make(p.p + 1, p.n - 2) : p;
    }
    for (size_t i = 0; good && i < p.n; i++)
        good = isalnum((unsigned char)p.p[i]) || strchr(".-_:/", p.p[i]);
    good = good || span_eq(p, SPAN("*"));
    if (!good)
        add(&t->left_out, &t->n_left_out, span_str(pattern));
    else if (!has(t, p))
        add(&t->direct, &t->n_direct, p);
}

static void free_list(char **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

void aim_free(struct aim *t)
{
    free(t->url);
    free(t->host);
    free(t->program);
    free_list(t->direct, t->n_direct);
    free_list(t->left_out, t->n_left_out);
    *t = (struct aim){0};
}

/* --- the dialects --- */

/* With stars, as Java and ssh have it: ".x" is "*.x", an IPv4 network whose prefix ends between bytes is "10.*". false: it has no such form. */
static bool starred(struct span entry, struct buf *out)
{
    size_t slash = span_find(entry, '/');
    unsigned char v4[4], v6[16];
    char *address = span_dup(span_head(entry, slash));
    bool is4 = inet_pton(AF_INET, address, v4) == 1, is6 = inet_pton(AF_INET6, address, v6) == 1;
    free(address);
    if (slash < entry.n) {
        uint64_t bits;
        if (!is4 || !span_u64(span_from(entry, slash + 1), &bits) || bits % 8 || bits == 0 || bits > 24)
            return false;
        for (size_t i = 0; i < bits / 8; i++)
            buf_addf(out, "%u.", v4[i]);
        return buf_add_str(out, "*");
    }
    if (is6)
        return buf_addf(out, "%.*s", SPAN_ARG(entry));
    return buf_addf(out, "%s%.*s", entry.p[0] == '.' ? "*" : "", SPAN_ARG(entry));
}

static bool as_it_is(struct span entry, struct buf *out)
{
    return buf_add_span(out, entry);
}

static bool java(struct span entry, struct buf *out)
{
    if (span_find(entry, ':') < entry.n)
        return !span_eq(entry, SPAN("::1")) ? false : buf_add_str(out, "[::1]");
    return starred(entry, out);
}

/* apt knows exact hosts only. */
static bool exact_host(struct span entry, struct buf *out)
{
    if (entry.p[0] == '.' || span_find(entry, '/') < entry.n || span_find(entry, ':') < entry.n ||
        span_eq(entry, SPAN("*")))
        return false;
    return buf_add_span(out, entry);
}

static const struct form {
    const char *name, *begin, *before, *after, *between, *end;
    bool (*write)(struct span entry, struct buf *out);
} forms[] = {
    {"no_proxy", "", "", "", ",", "", as_it_is},
    {"java", "", "", "", "|", "", java},
    {"java_commas", "", "", "", ",", "", java},
    {"json", "[", "\"", "\"", ", ", "]", as_it_is},
    {"gvariant", "[", "'", "'", ", ", "]", as_it_is},
    {"ssh", "", " !", "", "", "", starred},
    {"apt", "", "Acquire::http::Proxy::", " \"DIRECT\";\n", "", "", exact_host},
    {"apts", "", "Acquire::https::Proxy::", " \"DIRECT\";\n", "", "", exact_host},
};

static void write_form(const struct aim *t, const struct form *f, struct buf *out)
{
    bool first = true;
    buf_add_str(out, f->begin);
    for (size_t i = 0; i < t->n_direct; i++) {
        struct buf one = {0};
        if (f->write(span_str(t->direct[i]), &one)) {
            buf_addf(out, "%s%s%s%s", first ? "" : f->between, f->before, buf_cstr(&one), f->after);
            first = false;
        }
        buf_free(&one);
    }
    buf_add_str(out, f->end);
}

/* ssh gives the command to a shell, after its own percent signs. */
static void write_program(const char *path, struct buf *out)
{
    buf_add_str(out, "'");
    for (const char *c = path ? path : "exeat"; *c; c++)
        buf_add_str(out, *c == '\'' ? "'\\''" : *c == '%' ? "%%" : (char[]){*c, '\0'});
    buf_add_str(out, "'");
}

static bool expand_name(const struct aim *t, struct span name, struct buf *out)
{
    if (span_eq(name, SPAN("url")))
        return buf_add_str(out, t->url);
    if (span_eq(name, SPAN("host")))
        return buf_add_str(out, t->host);
    if (span_eq(name, SPAN("hostport")))
        return buf_add_str(out, t->url + strlen("http://"));
    if (span_eq(name, SPAN("port")))
        return buf_addf(out, "%u", t->port);
    if (span_eq(name, SPAN("program"))) {
        write_program(t->program, out);
        return true;
    }
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (span_eq(name, span_str(forms[i].name))) {
            write_form(t, &forms[i], out);
            return true;
        }
    }
    return false;
}

void aim_expand(const struct aim *t, const char *template, struct buf *out)
{
    struct span rest = span_str(template);
    while (rest.n) {
        size_t open = span_find(rest, '{');
        buf_add_span(out, span_head(rest, open));
        rest = span_from(rest, open);
        size_t close = span_find(rest, '}');
        if (close < rest.n && expand_name(t, span_make(rest.p + 1, close - 1), out)) {
            rest = span_from(rest, close + 1);
        } else if (rest.n) {
            buf_add_str(out, "{");
            rest = span_from(rest, 1);
        }
    }
}
