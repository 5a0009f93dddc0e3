/*
 * KConfig's form: [sections], key=value, keys with options ("key[$e]"), values with backslashes (\s \t \n \r \\). ProxyType: 0 none, 1 manual,
 * 2 a script's URL, 3 WPAD, 4 names of variables of the environment.
 */
#include "source/kde.h"

#include <stdlib.h>

#define SECTION SPAN("[Proxy Settings]")

struct reading {
    uint64_t type;
    bool reversed;
    char *script, *http, *https, *socks, *ignore;
};

static void unescape(struct span value, char **out)
{
    static const char from[] = "sntr\\", to[] = " \n\t\r\\";
    struct buf text = {0};
    for (size_t i = 0; i < value.n; i++) {
        const char *at =
            value.p[i] == '\\' && i + 1 < value.n && value.p[i + 1] ? strchr(from, value.p[i + 1]) : NULL;
        char c = at ? to[at - from] : value.p[i];
        i += at != NULL;
        if ((unsigned char)c >= 0x20 && c != 0x7f)
            buf_add(&text, &c, 1);
    }
    free(*out);
    *out = span_dup(span_trim(buf_span(&text)));
    buf_free(&text);
}

static void read_pair(struct reading *r, struct span key, struct span value)
{
    struct {
        const char *name;
        char **place;
    } texts[] = {{"Proxy Config Script", &r->script},
                 {"httpProxy", &r->http},
                 {"httpsProxy", &r->https},
                 {"socksProxy", &r->socks},
                 {"NoProxyFor", &r->ignore}};
    key = span_trim(span_head(key, span_find(key, '[')));
    if (span_eq(key, SPAN("ProxyType")) && !span_u64(value, &r->type))
        r->type = 0;
    if (span_eq(key, SPAN("ReversedException")))
        r->reversed = span_ieq(value, SPAN("true")) || span_eq(value, SPAN("1"));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (span_eq(key, span_str(texts[i].name)))
            unescape(value, texts[i].place);
}

static void read_text(struct reading *r, struct span text)
{
    bool here = false;
    while (text.n) {
        struct span line = span_cut(&text, '\n');
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        line = span_trim(line);
        if (line.n && line.p[0] == '[')
            here = span_eq(line, SECTION);
        else if (here && line.n && line.p[0] != '#') {
            struct span key = span_cut(&line, '=');
            read_pair(r, key, span_trim(line));
        }
    }
}

static void add_ignored(struct settings *s, struct span list)
{
    while (list.n) {
        struct span part = span_cut(&list, ','), word;
        while ((word = span_word(&part)).n)
            settings_ignore(s, word);
    }
}

/* Where the values are names of variables: what these hold. */
static void follow_variables(struct reading *r, const char *(*variable)(const char *name))
{
    char **names[] = {&r->http, &r->https, &r->socks, &r->ignore};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = *names[i] ? variable(*names[i]) : NULL;
        free(*names[i]);
        *names[i] = mem_strdup(value);
    }
}

void kde_read(struct span text, const char *(*variable)(const char *name), struct settings *s)
{
    static const enum settings_say meanings[] = {SETTINGS_NONE, SETTINGS_MANUAL, SETTINGS_PAC, SETTINGS_WPAD,
                                                 SETTINGS_MANUAL};
    struct reading r = {0};
    struct span scheme;
    *s = (struct settings){0};
    read_text(&r, text);
    s->say = r.type < sizeof meanings / sizeof *meanings ? meanings[r.type] : SETTINGS_NONE;
    if (r.type == 4)
        follow_variables(&r, variable);
    if (s->say == SETTINGS_MANUAL) {
        settings_proxy_read(&s->http, span_str(r.http), 80, &scheme);
        settings_proxy_read(&s->https, span_str(r.https), 80, &scheme);
        settings_proxy_read(&s->socks, span_str(r.socks), 1080, &scheme);
        add_ignored(s, span_str(r.ignore));
        s->ignore_all_else = r.reversed;
    }
    if (s->say == SETTINGS_PAC)
        s->pac = r.script ? mem_strdup(r.script) : mem_strdup("");
    free(r.script);
    free(r.http);
    free(r.https);
    free(r.socks);
    free(r.ignore);
}
