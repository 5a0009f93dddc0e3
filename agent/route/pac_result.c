/*
 * Reading PAC results: lenient in what is skipped, strict in what is used, for a place is where requests go. The text comes from a script that
 * somebody else has written. Pure functions, any thread.
 */
#include "route/pac_result.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/escape.h"

#define HOST_LONGEST  255
#define SHOWN_LONGEST 80 /* of an entry in a note */

static const struct word {
    const char *word;
    enum pac_place_kind kind;
    uint16_t port;
    const char *prefix; /* of a URL, which some scripts write in place of the host */
} words[] = {
    {"DIRECT", PAC_PLACE_DIRECT, 0, NULL},           {"PROXY", PAC_PLACE_HTTP, 80, "http://"},
    {"HTTP", PAC_PLACE_HTTP, 80, "http://"},         {"HTTPS", PAC_PLACE_HTTPS, 443, "https://"},
    {"SOCKS", PAC_PLACE_SOCKS, 1080, "socks://"},    {"SOCKS4", PAC_PLACE_SOCKS4, 1080, "socks4://"},
    {"SOCKS5", PAC_PLACE_SOCKS5, 1080, "socks5://"},
};

const char *pac_place_name(enum pac_place_kind kind)
{
    static const char *const names[] = {
        [PAC_PLACE_DIRECT] = "DIRECT", [PAC_PLACE_HTTP] = "PROXY",    [PAC_PLACE_HTTPS] = "HTTPS",
        [PAC_PLACE_SOCKS] = "SOCKS",   [PAC_PLACE_SOCKS4] = "SOCKS4", [PAC_PLACE_SOCKS5] = "SOCKS5"};
    return names[kind];
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span without_blanks(struct span s)
{
    while (s.n && is_blank(s.p[0]))
        s = span_from(s, 1);
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

static bool is_v6(struct span host)
{
    char copy[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    if (host.n >= sizeof copy || memchr(host.p, '\0', host.n))
        return false;
    memcpy(copy, host.p, host.n);
    copy[host.n] = '\0';
    return inet_pton(AF_INET6, copy, bytes) == 1;
}

/* Letters, digits and what else stands in names of hosts; names with other letters come in their ASCII form (RFC 5891). */
static bool is_name(struct span host)
{
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
              c == '-' || c == '_'))
            return false;
    }
    return host.n > 0 && host.n <= HOST_LONGEST && host.p[0] != '.' && host.p[0] != '-';
}

/* "host", "host:port", "[v6]", "[v6]:port", "v6". NULL, or what is wrong. */
static const char *read_place(struct span text, struct pac_place *place)
{
    struct span port = {0};
    uint64_t number;
    if (span_starts(text, SPAN("["))) {
        size_t close = span_find(text, ']');
        place->host = span_from(span_head(text, close), 1);
        port = span_from(text, close + 1);
        if (close == text.n || !is_v6(place->host) || (port.n && port.p[0] != ':'))
            return "its address is malformed";
    } else if (is_v6(text)) {
        place->host = text;
    } else {
        size_t colon = span_find(text, ':');
        place->host = span_head(text, colon);
        port = span_from(text, colon);
        if (!is_name(place->host))
            return "its host is not a name or address";
    }
    if (port.n == 0)
        return NULL;
    if (!span_u64(span_from(port, 1), &number) || number < 1 || number > 65535)
        return "its port is not one";
    place->port = (uint16_t)number;
    return NULL;
}

static const char *read_entry(struct span entry, struct pac_place *place)
{
    size_t end = 0;
    while (end < entry.n && !is_blank(entry.p[end]))
        end++;
    struct span word = span_head(entry, end), rest = without_blanks(span_from(entry, end));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!span_ieq(word, span_str(words[i].word)))
            continue;
        *place = (struct pac_place){.kind = words[i].kind, .port = words[i].port};
        if (place->kind == PAC_PLACE_DIRECT)
            return rest.n ? "something follows DIRECT" : NULL;
        if (span_istarts(rest, span_str(words[i].prefix))) {
            rest = span_from(rest, strlen(words[i].prefix));
            rest.n -= span_ends(rest, SPAN("/"));
        }
        return rest.n ? read_place(rest, place) : "it names no host";
    }
    return "its first word is none of PROXY, HTTP, HTTPS, SOCKS, SOCKS4, SOCKS5, DIRECT";
}

/* An entry with '@' in it may hold a password. */
static void note(struct pac_result *r, struct span entry, const char *wrong)
{
    size_t begin = r->notes.n;
    if (span_find(entry, '@') < entry.n)
        buf_addf(&r->notes, "An entry with a user name in it is skipped: %s.\n", wrong);
    else
        buf_addf(&r->notes, "The entry \"%.*s\" is skipped: %s.\n",
                 SPAN_ARG(escape_head(entry, SHOWN_LONGEST)), wrong);
    for (size_t i = begin; i + 1 < r->notes.n; i++) /* one note, one line */
        if ((unsigned char)r->notes.p[i] < ' ')
            r->notes.p[i] = '?';
}

static void add(struct pac_result *r, struct pac_place place)
{
    r->places = mem_grow(r->places, (r->n + 1) * sizeof *r->places);
    r->places[r->n++] = place;
}

void pac_result_read(struct pac_result *r, struct span text)
{
    *r = (struct pac_result){0};
    bool any = false;
    while (text.n && r->notes.n < 4096) {
        struct pac_place place;
        struct span entry = without_blanks(span_cut(&text, ';'));
        if (entry.n == 0)
            continue;
        any = true;
        if (r->n == PAC_PLACES_MAX) {
            buf_addf(&r->notes, "All entries behind the first %zu are skipped.\n", PAC_PLACES_MAX);
            break;
        }
        const char *wrong = read_entry(entry, &place);
        if (wrong)
            note(r, entry, wrong);
        else
            add(r, place);
    }
    if (any)
        return;
    buf_add_str(&r->notes, "The result is empty, which means DIRECT.\n");
    add(r, (struct pac_place){.kind = PAC_PLACE_DIRECT});
}

void pac_result_free(struct pac_result *r)
{
    free(r->places);
    buf_free(&r->notes);
    *r = (struct pac_result){0};
}
