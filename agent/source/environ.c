/*
 * auto_proxy (a script's URL) goes before the others, as it does in the programs that know it. all_proxy is for what has none of its own.
 */
#include "source/environ.h"

#include <ctype.h>
#include <stdlib.h>

/* The lower-case name, else the upper-case one. */
static struct span value_of(const char *(*variable)(const char *name), const char *name)
{
    char upper[32];
    size_t i = 0;
    struct span value = span_trim(span_str(variable(name)));
    for (; name[i] && i + 1 < sizeof upper; i++)
        upper[i] = (char)toupper((unsigned char)name[i]);
    upper[i] = '\0';
    return value.n ? value : span_trim(span_str(variable(upper)));
}

static bool is_clean(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return true;
}

/* `own`: for what the variable is. A SOCKS proxy is for everything that has none of its own, wherever it is named. */
static void read_proxy(struct settings *s, struct settings_proxy *own, struct span value)
{
    struct settings_proxy p = {0};
    struct span scheme;
    if (value.n == 0 || !settings_proxy_read(&p, value, 0, &scheme))
        return;
    struct settings_proxy *place = span_istarts(scheme, SPAN("socks")) ? &s->socks : own;
    if (place->host) {
        free(p.host);
        return;
    }
    *place = p;
}

static void read_ignored(struct settings *s, struct span list)
{
    while (list.n) {
        struct span part = span_cut(&list, ','), word;
        while ((word = span_word(&part)).n)
            if (is_clean(word))
                settings_ignore(s, word);
    }
}

void environ_read(const char *(*variable)(const char *name), struct settings *s)
{
    struct span script = value_of(variable, "auto_proxy"), all = value_of(variable, "all_proxy");
    *s = (struct settings){0};
    if (script.n && is_clean(script)) {
        s->say = SETTINGS_PAC;
        s->pac = span_dup(script);
        return;
    }
    read_proxy(s, &s->http, value_of(variable, "http_proxy"));
    read_proxy(s, &s->https, value_of(variable, "https_proxy"));
    read_proxy(s, &s->http, all);
    read_proxy(s, &s->https, all);
    if (!s->http.host && !s->https.host && !s->socks.host)
        return;
    s->say = SETTINGS_MANUAL;
    read_ignored(s, value_of(variable, "no_proxy"));
}
