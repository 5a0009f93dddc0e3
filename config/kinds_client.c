/*
 * Who may come from beyond this machine: networks, the hashes of tokens, and that listeners which others can reach have both. Any thread.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/buf.h"
#include "config/ini.h"
#include "config/kinds.h"
#include "config/whole.h"

#define TOKEN_PREFIX SPAN("sha256:")

/* --- networks --- */

static bool read_network(struct config_network *out, struct span text)
{
    size_t slash = span_find(text, '/');
    char *address = span_dup(span_head(text, slash));
    uint64_t bits = 0;
    out->family = inet_pton(AF_INET, address, out->address) == 1    ? AF_INET
                  : inet_pton(AF_INET6, address, out->address) == 1 ? AF_INET6
                                                                    : AF_UNSPEC;
    free(address);
    unsigned most = out->family == AF_INET ? 32 : 128;
    bool ok = slash == text.n || (span_u64(span_from(text, slash + 1), &bits) && bits <= most);
    out->prefix = slash == text.n ? most : (unsigned)bits;
    return ok && out->family != AF_UNSPEC;
}

static bool parse_networks(const struct setting *s, void *object, struct span value, struct err *e)
{
    struct config_network **list = (struct config_network **)((char *)object + s->at);
    size_t *n = (size_t *)((char *)object + s->also_at);
    struct buf item = {0};
    int more;
    bool ok = true;
    while (ok && (more = ini_item(&value, &item, e)) > 0) {
        struct config_network one = {0};
        ok = read_network(&one, buf_span(&item)) ||
             err_set(e, ERR_CONFIG, "%s is not an address or a network like 172.17.0.0/16 or fd00:1::/64",
                     shown(buf_span(&item)).text);
        if (!ok)
            break;
        one.text = span_dup(buf_span(&item));
        *list = mem_grow(*list, (*n + 1) * sizeof **list);
        (*list)[(*n)++] = one;
    }
    buf_free(&item);
    return ok && more == 0;
}

static bool print_networks(const struct setting *s, const void *object, struct buf *out)
{
    const struct config_network *list = *(struct config_network *const *)((const char *)object + s->at);
    size_t n = *(const size_t *)((const char *)object + s->also_at);
    for (size_t i = 0; i < n; i++) {
        buf_add_str(out, i ? " " : "");
        ini_put_item(out, span_str(list[i].text));
    }
    return n > 0 || s->fallback;
}

const struct kind kind_networks = {"addresses or networks (172.17.0.0/16, fd00:1::/64), separated by blanks",
                                   true, parse_networks, print_networks};

static bool starts_alike(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned rest = bits % 8;
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

bool config_networks_hold(const struct config_network *list, size_t n, const struct sockaddr *address)
{
    const unsigned char *bytes = NULL;
    int family = address->sa_family;
    if (family == AF_INET) {
        bytes = (const unsigned char *)&((const struct sockaddr_in *)address)->sin_addr;
    } else if (family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
        bool mapped = IN6_IS_ADDR_V4MAPPED(v6);
        bytes = v6->s6_addr + (mapped ? 12 : 0);
        family = mapped ? AF_INET : AF_INET6;
    }
    for (size_t i = 0; bytes && i < n; i++)
        if (list[i].family == family && starts_alike(list[i].address, bytes, list[i].prefix))
            return true;
    return false;
}

/* --- tokens --- */

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The value is not quoted: somebody may have written the token itself. */
static bool parse_token(const struct setting *s, void *object, struct span value, struct err *e)
{
    unsigned char *hash = (unsigned char *)object + s->at;
    struct span hex = span_from(value, TOKEN_PREFIX.n);
    bool ok = span_starts(value, TOKEN_PREFIX) && hex.n == 64;
    for (size_t i = 0; ok && i < 64; i += 2) {
        int high = digit(hex.p[i]), low = digit(hex.p[i + 1]);
        ok = high >= 0 && low >= 0;
        if (ok)
            hash[i / 2] = (unsigned char)(high << 4 | low);
    }
    return ok ||
           err_set(e, ERR_CONFIG,
                   "this is not the hash of a token (sha256: and 64 digits); \"exeat token NAME\" makes a "
                   "token and prints this line. The token itself never stands here");
}

static bool print_token(const struct setting *s, const void *object, struct buf *out)
{
    const unsigned char *hash = (const unsigned char *)object + s->at;
    buf_add_span(out, TOKEN_PREFIX);
    for (size_t i = 0; i < 32; i++)
        buf_addf(out, "%02x", hash[i]);
    return true;
}

const struct kind kind_token = {"sha256: and 64 hexadecimal digits", false, parse_token, print_token};

/* --- together --- */

static struct origin listen_key(const struct config_whole *w, const char *key)
{
    const struct section *listen = section_find(SPAN("listen"));
    return w->single[listen - sections].keys[setting_find(listen, span_str(key)) - settings];
}

bool whole_check_clients(const struct config_whole *w, struct err *e)
{
    const struct config_address *open = NULL;
    for (size_t i = 0; i < w->c.n_listen && !open; i++)
        if (config_address_is_beyond(&w->c.listen[i]))
            open = &w->c.listen[i];
    if (!open)
        return true;
    if (w->c.n_allow && w->c.n_clients)
        return true;
    err_set(e, ERR_CONFIG,
            "http: %s is not an address of this machine alone (127.0.0.1, [::1]), and others could use your "
            "identity; say who may: write %s%s%s",
            open->text, w->c.n_allow ? "" : "their network into [listen] (allow = 172.17.0.0/16)",
            w->c.n_allow || w->c.n_clients ? "" : ", and ",
            w->c.n_clients ? "" : "a [client NAME] section, which \"exeat token NAME\" makes");
    return origin_blame(listen_key(w, "http"), e);
}
