/*
 * The table of other relays' settings, and what each becomes. The words for people are in config/coming-from.md. One thread.
 */
#include <ctype.h>
#include <stdio.h>

#include "cli/move.h"

#define LOOPBACK SPAN("127.0.0.1")

const char *move_name(enum move_from from)
{
    static const char *const names[] = {[MOVE_CNTLM] = "cntlm",
                                        [MOVE_PX] = "px",
                                        [MOVE_ALPACA] = "alpaca",
                                        [MOVE_ENVIRONMENT] = "the environment"};
    return names[from];
}

/* The next item of a list with commas or blanks between; empty: no more. */
static struct span next_item(struct span *rest)
{
    while (rest->n) {
        size_t n = 0;
        while (n < rest->n && rest->p[n] != ',' && !isspace((unsigned char)rest->p[n]))
            n++;
        struct span item = span_head(*rest, n);
        *rest = span_from(*rest, n + 1);
        if (item.n)
            return item;
    }
    return span_make(NULL, 0);
}

/* --- the first (and mostly only) setting of a row, as it stands --- */

static void split_to(const struct move_row *row, char section[32], char key[32])
{
    struct span to = span_str(row->to), first = span_word(&to);
    size_t dot = span_find(first, '.');
    snprintf(section, 32, "%.*s", (int)dot, first.p);
    snprintf(key, 32, "%.*s", SPAN_ARG(span_from(first, dot + 1)));
}

static bool put_as(struct draft *d, const struct move_row *row, struct span from, struct span value)
{
    char section[32], key[32];
    split_to(row, section, key);
    return draft_put(d, section, key, from, value);
}

static void take_text(struct draft *d, const struct move_row *row, struct span key, struct span value)
{
    if (value.n)
        put_as(d, row, key, value);
}

static void take_items(struct draft *d, const struct move_row *row, struct span key, struct span value)
{
    struct span item;
    while ((item = next_item(&value)).n)
        put_as(d, row, key, item);
}

static bool is_yes(struct span value)
{
    static const char *const words[] = {"yes", "y", "1", "true", "on", "enabled"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (span_ieq(value, span_str(words[i])))
            return true;
    return false;
}

static void note_if_yes(struct draft *d, const struct move_row *row, struct span key, struct span value)
{
    if (is_yes(value))
        draft_note(d, key, row->why);
}

/* --- proxies and who we are to them --- */

static int hex_of(char c)
{
    return isdigit((unsigned char)c)    ? c - '0'
           : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
                                        : -1;
}

/* Percent-decoded (RFC 3986 section 2.1), byte by byte, with no copy elsewhere. */
static void decode(struct secret *out, struct span text)
{
    secret_set(out, SPAN(""));
    for (size_t i = 0; i < text.n; i++) {
        int high = text.p[i] == '%' && i + 2 < text.n ? hex_of(text.p[i + 1]) : -1;
        int low = high >= 0 ? hex_of(text.p[i + 2]) : -1;
        char c = low >= 0 ? (char)(high * 16 + low) : text.p[i];
        secret_add(out, span_make(&c, 1));
        i += low >= 0 ? 2 : 0;
    }
}

/* "user:password" of a URL, which must not stand in a file. */
static void take_user_information(struct draft *d, struct span key, struct span text)
{
    size_t colon = span_find(text, ':');
    struct secret user = {0};
    decode(&user, span_head(text, colon));
    if (!draft_has(d, "upstream", "user"))
        draft_put(d, "upstream", "user", key, secret_reveal(&user));
    if (colon < text.n && !secret_present(&d->password))
        decode(&d->password, span_from(text, colon + 1));
    secret_free(&user);
}

static size_t scheme_length(struct span url)
{
    const char *slashes = url.n ? memmem(url.p, url.n, "://", 3) : NULL;
    return slashes ? (size_t)(slashes - url.p) + 3 : 0;
}

struct span move_authority(struct span url)
{
    struct span rest = span_from(url, scheme_length(url));
    size_t at = span_rfind(rest, '@');
    if (at < rest.n)
        rest = span_from(rest, at + 1);
    return span_head(rest, span_find(rest, '/'));
}

static void take_one_proxy(struct draft *d, struct span key, struct span item)
{
    struct buf url = {0};
    size_t front = scheme_length(item);
    struct span rest = span_from(item, front);
    size_t at = span_rfind(rest, '@');
    if (at < rest.n)
        take_user_information(d, key, span_head(rest, at));
    rest = move_authority(item);
    buf_addf(&url, "%.*s", SPAN_ARG(front ? span_head(item, front) : SPAN("http://")));
    buf_add_span(&url, rest);
    draft_put(d, "upstream", "proxy", key, buf_span(&url));
    secret_wipe(url.p, url.cap);
    buf_free(&url);
}

static void take_proxies(struct draft *d, const struct move_row *row, struct span key, struct span value)
{
    struct span item;
    (void)row;
    while ((item = next_item(&value)).n)
        take_one_proxy(d, key, item);
}

static void take_password(struct draft *d, const struct move_row *row, struct span key, struct span value)
{
    (void)row;
    (void)key;
    if (value.n)
        secret_set(&d->password, value);
}

static bool is_nt_hash(struct span text)
{
    for (size_t i = 0; i < text.n; i++)
        if (!isxdigit((unsigned char)text.p[i]))
            return false;
    return text.n == 32;
}

static void take_nt_hash(struct draft *d, const struct move_row *row, struct span key, struct span value)
{
    (void)row;
    if (is_nt_hash(value))
        secret_set(&d->nt_hash, value);
    else
        draft_note(d, key, "it is no NT hash (32 hexadecimal digits)");
}

/* alpaca: "user@domain:hash" */
static void take_ntlm_credentials(struct draft *d, const struct move_row *row, struct span key,
                                  struct span value)
{
    size_t colon = span_rfind(value, ':');
    struct span who = span_head(value, colon);
    size_t at = span_rfind(who, '@');
    if (colon == value.n) {
        draft_note(d, key, "it is not user@domain:hash");
        return;
    }
    draft_put(d, "upstream", "user", key, span_head(who, at));
    if (at < who.n)
        draft_put(d, "upstream", "domain", key, span_from(who, at + 1));
    take_nt_hash(d, row, key, span_from(value, colon + 1));
}

static void take_basic_credentials(struct draft *d, const struct move_row *row, struct span key,
                                   struct span value)
{
    (void)row;
    size_t colon = span_find(value, ':');
    draft_put(d, "upstream", "user", key, span_head(value, colon));
    if (colon < value.n)
        secret_set(&d->password, span_from(value, colon + 1));
    draft_put(d, "upstream", "auth", key, SPAN("basic"));
    draft_note(d, key,
               "Basic sends the password itself: to a proxy without TLS only with basic-in-clear = yes");
}

static void take_acquire(struct draft *d, const struct move_row *row, struct span key, struct span value)
{
    if (is_yes(value))
        put_as(d, row, key, SPAN("acquire"));
}

static void take_translation(struct draft *d, const struct move_row *row, struct span key, struct span value)
{
    if (is_yes(value))
        put_as(d, row, key, SPAN("use"));
}

static void take_no_kerberos(struct draft *d, const struct move_row *row, struct span key, struct span value)
{
    (void)value;
    put_as(d, row, key, SPAN("ntlm"));
    put_as(d, row, key, SPAN("digest"));
}

/* --- where we listen --- */

static bool is_number(struct span text)
{
    uint64_t n;
    return span_u64(text, &n);
}

static bool is_here(struct span host)
{
    return span_istarts(host, SPAN("127.")) || span_ieq(host, SPAN("localhost")) ||
           span_eq(host, SPAN("[::1]"));
}

/* Others reach an address that is not this machine's alone, and need tokens for it, which nobody can make here. */
static void put_listener(struct draft *d, const struct move_row *row, struct span key, struct span host,
                         struct span port)
{
    struct buf text = {0};
    bool here = !host.n || is_here(host);
    buf_addf(&text, "%.*s:%.*s", SPAN_ARG(here && host.n ? host : LOOPBACK), SPAN_ARG(port));
    put_as(d, row, key, buf_span(&text));
    if (!here)
        draft_note(
            d, key,
            "others than this machine need a token each: add their address to http =, and see allow = and "
            "\"exeat help token\"");
    buf_free(&text);
}

/* "PORT" or "HOST:PORT" */
static void take_listener(struct draft *d, const struct move_row *row, struct span key, struct span value)
{
    size_t colon = span_rfind(value, ':');
    if (is_number(value))
        put_listener(d, row, key, span_make(NULL, 0), value);
    else if (colon < value.n)
        put_listener(d, row, key, span_head(value, colon), span_from(value, colon + 1));
    else
        draft_note(d, key, "it is no port and no address");
}

static void take_hosts(struct draft *d, const struct move_row *row, struct span key, struct span value)
{
    struct span item;
    (void)row;
    (void)key;
    while ((item = next_item(&value)).n)
        buf_addf(&d->hosts, "%.*s ", SPAN_ARG(item));
}

static void take_port(struct draft *d, const struct move_row *row, struct span key, struct span value)
{
    (void)row;
    (void)key;
    buf_clear(&d->ports);
    buf_add_span(&d->ports, value);
}

/* cntlm: "[ADDRESS:]PORT:HOST:PORT" */
static void take_tunnel(struct draft *d, const struct move_row *row, struct span key, struct span value)
{
    struct buf listen = {0};
    (void)row;
    size_t last = span_rfind(value, ':'), before = span_rfind(span_head(value, last), ':');
    struct span here = span_head(value, before), target = span_from(value, before + 1);
    if (value.n && value.p[value.n - 1] != ':' && here.n > 1 && target.p[0] != '[')
        buf_addf(&listen, "%s%.*s", is_number(here) ? "127.0.0.1:" : "", SPAN_ARG(here));
    if (!listen.n || !draft_forward(d, buf_span(&listen), target))
        draft_note(d, key, "it is not PORT:HOST:PORT with an address of this machine: see [forward NAME]");
    buf_free(&listen);
}

/* --- the rest --- */

struct into {
    struct draft *d;
    const struct move_row *row;
    struct span key;
};

static void put_network(void *owner, struct span network)
{
    struct into *into = owner;
    put_as(into->d, into->row, into->key, network);
}

static bool is_numbers(struct span word)
{
    for (size_t i = 0; i < word.n; i++)
        if (!isdigit((unsigned char)word.p[i]) && word.p[i] != '.' && word.p[i] != '-')
            return false;
    return true;
}

static void take_no_proxy(struct draft *d, const struct move_row *row, struct span key, struct span value)
{
    struct into into = {d, row, key};
    struct span item;
    while ((item = next_item(&value)).n)
        if (move_range(item, put_network, &into))
            continue;
        else if (is_numbers(item) && span_find(item, '-') < item.n)
            draft_note(d, key, "a range of addresses is FIRST-LAST, like 10.0.0.1-10.0.0.50");
        else
            put_as(d, row, key, item);
}

static void take_agent(struct draft *d, const struct move_row *row, struct span key, struct span value)
{
    struct buf field = {0};
    if (value.n) {
        buf_addf(&field, "User-Agent: %.*s", SPAN_ARG(value));
        put_as(d, row, key, buf_span(&field));
    }
    buf_free(&field);
}

static void take_log(struct draft *d, const struct move_row *row, struct span key, struct span value)
{
    uint64_t n;
    if (span_u64(value, &n) && n > 0) {
        put_as(d, row, key, SPAN("debug"));
        draft_note(d, key, row->why);
    }
}

static void take_quiet(struct draft *d, const struct move_row *row, struct span key, struct span value)
{
    (void)value;
    put_as(d, row, key, SPAN("warning"));
}

static void take_enable_socks(struct draft *d, const struct move_row *row, struct span key, struct span value)
{
    (void)value;
    put_as(d, row, key, SPAN("127.0.0.1:1080"));
    draft_note(d, key, "SOCKS has an address of its own");
}

/* --- the table --- */

#define TWO_KINDS                                                                                            \
    "cannot be used: it is good for one old kind of answer alone. The password itself, or cntlm's PassNT, "  \
    "can"
#define WINDOWS "not offered: Windows"
#define FLAT                                                                                                 \
    "one loop, bodies streamed with flat memory; a tunnel lives as long as both ends do, and TCP "           \
    "keep-alive finds dead ones"
#define TOKENS "others than this machine need a token each: see [listen] allow and \"exeat help token\""

const struct move_row move_rows[] = {
    {MOVE_CNTLM, "Proxy", "upstream.proxy", take_proxies, NULL},
    {MOVE_CNTLM, "Listen", "listen.http", take_listener, NULL},
    {MOVE_CNTLM, "Gateway", "listen.allow client.token", note_if_yes, TOKENS},
    {MOVE_CNTLM, "Allow", "listen.allow", take_text, NULL},
    {MOVE_CNTLM, "Deny", NULL, NULL, "what it does not name is denied"},
    {MOVE_CNTLM, "Username", "upstream.user", take_text, NULL},
    {MOVE_CNTLM, "Domain", "upstream.domain", take_text, NULL},
    {MOVE_CNTLM, "Workstation", "upstream.workstation", take_text, NULL},
    {MOVE_CNTLM, "Password", "upstream.secret", take_password, NULL},
    {MOVE_CNTLM, "PassNT", "upstream.secret", take_nt_hash, NULL},
    {MOVE_CNTLM, "PassLM PassNTLMv2", NULL, NULL, TWO_KINDS},
    {MOVE_CNTLM, "Auth", "upstream.auth", move_take_auth, NULL},
    {MOVE_CNTLM, "Flags", NULL, NULL, "not offered: they follow from the conversation with the proxy"},
    {MOVE_CNTLM, "SSPI", NULL, NULL, WINDOWS},
    {MOVE_CNTLM, "NTLMToBasic", "upstream.client-credentials", take_translation, NULL},
    {MOVE_CNTLM, "NoProxy", "route.no-proxy", take_no_proxy, NULL},
    {MOVE_CNTLM, "Pac", "route.pac", take_text, NULL},
    {MOVE_CNTLM, "Header", "headers.set", take_text, NULL},
    {MOVE_CNTLM, "SOCKS5Proxy", "listen.socks", take_listener, NULL},
    {MOVE_CNTLM, "SOCKS5Users SOCKS5User", NULL, NULL,
     "not offered: SOCKS is for this machine, where the kernel says who it is"},
    {MOVE_CNTLM, "Tunnel", "forward.listen forward.target", take_tunnel, NULL},
    {MOVE_CNTLM, "ISAScannerSize ISAScannerAgent", NULL, NULL,
     "not offered: it reads a download page of one product of 2006; answers come through as they are"},

    {MOVE_PX, "server", "upstream.proxy", take_proxies, NULL},
    {MOVE_PX, "pac", "route.pac", take_text, NULL},
    {MOVE_PX, "pac_encoding", NULL, NULL, "the encoding is found out"},
    {MOVE_PX, "listen", "listen.http", take_hosts, NULL},
    {MOVE_PX, "port", "listen.http", take_port, NULL},
    {MOVE_PX, "hostonly", "listen.http", note_if_yes, TOKENS},
    {MOVE_PX, "gateway", "listen.allow client.token", note_if_yes, TOKENS},
    {MOVE_PX, "allow", "listen.allow", NULL, TOKENS},
    {MOVE_PX, "noproxy", "route.no-proxy", take_no_proxy, NULL},
    {MOVE_PX, "useragent", "headers.set", take_agent, NULL},
    {MOVE_PX, "username", "upstream.user", take_text, NULL},
    {MOVE_PX, "auth", "upstream.auth upstream.client-credentials", move_take_auth, NULL},
    {MOVE_PX, "kerberos", "upstream.kerberos", take_acquire, NULL},
    {MOVE_PX, "client_auth client_username", "client.token", NULL,
     "NTLM, Negotiate and Digest towards clients are not offered"},
    {MOVE_PX, "client_nosspi", NULL, NULL, WINDOWS},
    {MOVE_PX, "workers threads idle", NULL, NULL, FLAT},
    {MOVE_PX, "socktimeout", "upstream.dial-timeout upstream.answer-timeout", NULL,
     "see dial-timeout and answer-timeout"},
    {MOVE_PX, "proxyreload", NULL, NULL, "not needed: the kernel tells of a new network"},
    {MOVE_PX, "log", "log.level log.file", take_log,
     "level = debug says as much; file = is for the requests alone"},
    {MOVE_PX, "foreground", NULL, NULL, "it always is"},

    {MOVE_ALPACA, "-l", "listen.http", take_hosts, NULL},
    {MOVE_ALPACA, "-p", "listen.http", take_port, NULL},
    {MOVE_ALPACA, "-C", "route.pac", take_text, NULL},
    {MOVE_ALPACA, "-d NTLM_DOMAIN", "upstream.domain", take_text, NULL},
    {MOVE_ALPACA, "-u NTLM_USERNAME", "upstream.user", take_text, NULL},
    {MOVE_ALPACA, "NTLM_CREDENTIALS", "upstream.secret", take_ntlm_credentials, NULL},
    {MOVE_ALPACA, "BASIC_CREDENTIALS", "upstream.secret", take_basic_credentials, NULL},
    {MOVE_ALPACA, "-H", "upstream.secret", NULL,
     "\"exeat login\" asks for the password, and nothing prints it"},
    {MOVE_ALPACA, "-no-kerberos", "upstream.auth", take_no_kerberos, NULL},
    {MOVE_ALPACA, "ALPACA_PROXY_AUTH_ALLOWLIST", NULL, NULL,
     "an identity goes to the proxies that [upstream NAME] proxy names, whatever a PAC script says"},
    {MOVE_ALPACA, "-enable-socks", "listen.socks", take_enable_socks, NULL},
    {MOVE_ALPACA, "-q", "log.level log.requests", take_quiet, NULL},

    {MOVE_ENVIRONMENT, "https_proxy HTTPS_PROXY http_proxy HTTP_PROXY all_proxy ALL_PROXY", "upstream.proxy",
     take_proxies, NULL},
    {MOVE_ENVIRONMENT, "no_proxy NO_PROXY", "route.no-proxy", take_items, NULL},
    {MOVE_ENVIRONMENT, "auto_proxy", "route.pac", take_text, NULL},
    {0},
};

static bool holds_key(const struct move_row *row, struct span key)
{
    bool exact = row->from == MOVE_ALPACA || row->from == MOVE_ENVIRONMENT;
    struct span rest = span_str(row->keys), word;
    while ((word = span_word(&rest)).n)
        if (exact ? span_eq(word, key) : span_ieq(word, key))
            return true;
    return false;
}

_Static_assert(sizeof move_rows / sizeof *move_rows <= DRAFT_ROWS, "a place for each row");

/* What may stand in cntlm.conf more than once; of all else the first counts there. */
static bool may_repeat(const struct move_row *row)
{
    static const char *const keys[] = {"Proxy",  "Listen",      "Allow", "NoProxy",
                                       "Header", "SOCKS5Proxy", "Tunnel"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (row->from != MOVE_CNTLM || !row->take || strcmp(row->keys, keys[i]) == 0)
            return true;
    return false;
}

void move_take_one(struct draft *d, enum move_from from, struct span key, struct span value)
{
    const struct move_row *row = move_rows;
    while (row->keys && (row->from != from || !holds_key(row, key)))
        row++;
    bool *seen = &d->seen[row - move_rows];
    d->n_known += row->keys != NULL;
    if (!row->keys)
        draft_note(d, key, "unknown");
    else if (!row->take)
        draft_note(d, key, row->why);
    else if (*seen && value.n && !may_repeat(row))
        draft_note(d, key, "it stands there again: the first one counts, as in cntlm");
    else
        row->take(d, row, key, value);
    *seen = *seen || value.n;
}

/* --- when all is known --- */

/* Hosts and a port that stood apart. */
static void join_listeners(struct draft *d)
{
    static const struct move_row http = {.to = "listen.http"};
    struct span hosts = buf_span(&d->hosts), host, port = d->ports.n ? buf_span(&d->ports) : SPAN("3128");
    if (!d->hosts.n && d->ports.n)
        put_listener(d, &http, SPAN("where it listens"), hosts, port);
    while ((host = span_word(&hosts)).n)
        put_listener(d, &http, SPAN("where it listens"), host, port);
}

/* A hash is for NTLM alone; with a password it is not needed. */
static void settle_secret(struct draft *d)
{
    if (secret_present(&d->password))
        secret_free(&d->nt_hash);
    if (!secret_present(&d->nt_hash))
        return;
    draft_drop(d, "upstream", "auth");
    draft_drop(d, "upstream", "kerberos");
    draft_put(d, "upstream", "auth", SPAN("an NT hash is for NTLM alone; tickets are taken where they are"),
              SPAN("negotiate"));
    draft_put(d, "upstream", "auth", SPAN(""), SPAN("ntlm"));
    draft_put(d, "upstream", "secret", SPAN("the NT hash, in the keyring"), SPAN("nt-hash"));
}

void move_finish(struct draft *d)
{
    join_listeners(d);
    settle_secret(d);
}
