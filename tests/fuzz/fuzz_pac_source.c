/* What the script's source reads of others: settings of desktops, copies on disk, URLs and what redirects make of them, dates, resolv.conf. The first byte says
   which. Whatever it is, nothing that could break a head or a log comes out. */
#include <stdint.h>
#include <stdlib.h>

#include "base/url.h"
#include "source/freshness.h"
#include "source/gnome.h"
#include "source/kde.h"
#include "source/kept.h"
#include "source/wpad.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void clean(const char *text)
{
    for (; text && *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            abort();
}

static const char *no_variable(const char *name)
{
    clean(name);
    return NULL;
}

static void look_at(struct settings *s)
{
    const struct settings_proxy *proxies[] = {&s->http, &s->https, &s->socks};
    clean(s->pac);
    for (size_t i = 0; i < 3; i++) {
        clean(proxies[i]->host);
        if (proxies[i]->host && (!proxies[i]->port || strchr(proxies[i]->host, '@')))
            abort();
    }
    for (size_t i = 0; i < s->n_ignore; i++)
        clean(s->ignore[i]);
    if (!settings_equal(s, s))
        abort();
    settings_free(s);
}

static void read_url(struct span text)
{
    static const char base[] = "https://a.example/b/c?d";
    struct buf out = {0};
    struct url u;
    url_shown(text, &out);
    url_resolve(SPAN(base), text, &out);
    if (url_read(&u, buf_span(&out)) == NULL) {
        clean(buf_cstr(&out));
        if (!u.host.n || !u.port || span_find(u.host, '@') != u.host.n)
            abort();
    }
    if (url_read(&u, text) == NULL)
        url_resolve(text, SPAN("../x"), &out);
    buf_free(&out);
}

static void read_copy(struct span text)
{
    struct kept k;
    if (!kept_decode(text, &k))
        return;
    clean(k.from);
    clean(k.etag);
    clean(k.modified);
    clean(k.charset);
    kept_free(&k);
}

static void read_domains(struct span text)
{
    char *hosts[WPAD_DOMAINS];
    size_t n = wpad_hosts(text, SPAN("me.corp.example"), hosts);
    for (size_t i = 0; i < n; i++) {
        clean(hosts[i]);
        if (strlen(hosts[i]) > 255)
            abort();
        free(hosts[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_make((const char *)data, size);
    struct settings s;
    int64_t seconds = 0;
    if (size == 0)
        return 0;
    text = span_from(text, 1);
    switch (data[0]) {
    case 'g':
        if (gnome_read(text, &s))
            look_at(&s);
        break;
    case 'k':
        kde_read(text, no_variable, &s);
        look_at(&s);
        break;
    case 'u':
        read_url(text);
        break;
    case 'd':
        if (http_date(text, 1700000000, &seconds) && (seconds < 0 || seconds > 253402300799 + 86400))
            abort();
        break;
    case 'c':
        read_copy(text);
        break;
    case 'r':
        read_domains(text);
        break;
    default:
        break;
    }
    return 0;
}
