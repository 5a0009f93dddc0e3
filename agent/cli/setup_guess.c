/*
 * Guesses for exeat setup, in this order: the environment, then the settings of the desktop (GNOME's, KDE's), then what git and apt were told. Our own
 * listener is no guess, and no password that stands there is taken. One thread.
 */
#include <stdio.h>
#include <stdlib.h>

#include "apps/file.h"
#include "cli/progress.h"
#include "cli/setup.h"
#include "config/paths.h"
#include "source/desktop.h"
#include "source/environ.h"
#include "source/gnome.h"
#include "source/kde.h"

#define LISTING_MOST ((size_t)64 << 10)
#define OWN_PORT     3128

/* --- the environment --- */

static struct buf stripped[8]; /* proxies of variables that had a name and a password in them */
static size_t n_stripped;
static struct guess *current;

/* The name is a guess of its own; the password is left where it is. */
static const char *without_user(const char *value)
{
    struct span text = span_str(value);
    const char *slashes = memmem(text.p, text.n, "://", 3);
    size_t front = slashes ? (size_t)(slashes - text.p) + 3 : 0, at = span_rfind(text, '@');
    struct buf *to = &stripped[n_stripped];
    if (at == text.n || at < front || n_stripped == sizeof stripped / sizeof *stripped)
        return value;
    struct span who = span_make(text.p + front, at - front);
    who = span_head(who, span_find(who, ':'));
    if (!current->user.n && span_find(who, '%') == who.n)
        buf_add_span(&current->user, who);
    buf_add_span(to, span_head(text, front));
    buf_add_span(to, span_from(text, at + 1));
    n_stripped++;
    return buf_cstr(to);
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    bool proxy = span_ends(span_str(name), SPAN("_proxy")) || span_ends(span_str(name), SPAN("_PROXY"));
    return value && proxy && strchr(value, '@') ? without_user(value) : value;
}

/* --- programs that are asked --- */

static void read_output(const char *command, struct buf *out)
{
    char part[4096];
    size_t n;
    /* NOLINTNEXTLINE(cert-env33-c): the commands are fixed */
    FILE *f = popen(command, "re");
    while (f && (n = fread(part, 1, sizeof part, f)) > 0 && out->n < LISTING_MOST)
        buf_add(out, part, n);
    if (f)
        pclose(f);
}

static void read_gnome(struct settings *s)
{
    struct buf listing = {0};
    progress_begin("reading the desktop's settings");
    read_output("gsettings list-recursively org.gnome.system.proxy 2>/dev/null", &listing);
    progress_end();
    gnome_read(buf_span(&listing), s);
    buf_free(&listing);
}

static void read_kde(struct settings *s)
{
    struct buf path = {0};
    struct file f = {0};
    struct err e;
    const char *xdg = getenv("XDG_CONFIG_HOME");
    char *home = xdg && *xdg ? NULL : config_home_dir(&e);
    buf_addf(&path, "%s%s/kioslaverc", home ? home : xdg && *xdg ? xdg : "", home ? "/.config" : "");
    if (file_peek(&f, buf_cstr(&path), &e))
        kde_read(buf_span(&f.text), variable, s);
    file_free(&f);
    buf_free(&path);
    free(home);
}

static bool is_ourselves(const struct settings_proxy *p)
{
    struct span host = span_str(p->host);
    return p->port == OWN_PORT && (span_istarts(host, SPAN("127.")) || span_ieq(host, SPAN("localhost")) ||
                                   span_eq(host, SPAN("::1")));
}

/* false: it says nothing that is of use. */
static bool take(struct guess *g, const struct settings *s)
{
    const struct settings_proxy *p = s->https.host ? &s->https : &s->http;
    if (s->say == SETTINGS_PAC)
        buf_add_str(&g->pac, s->pac);
    g->wpad = s->say == SETTINGS_WPAD;
    if (s->say == SETTINGS_MANUAL && p->host && !is_ourselves(p)) {
        bool ipv6 = strchr(p->host, ':') != NULL;
        buf_addf(&g->proxy, "%s://%s%s%s:%u", p->tls ? "https" : "http", ipv6 ? "[" : "", p->host,
                 ipv6 ? "]" : "", p->port);
        for (size_t i = 0; i < s->n_ignore; i++)
            buf_addf(&g->no_proxy, "%s%s", i ? " " : "", s->ignore[i]);
    }
    return g->pac.n || g->proxy.n || g->wpad;
}

static bool take_desktop(struct guess *g)
{
    struct settings desktop = {0};
    enum desktop_kind kind = desktop_kind_here();
    if (kind == DESKTOP_GNOME)
        read_gnome(&desktop);
    else if (kind == DESKTOP_KDE)
        read_kde(&desktop);
    bool taken = take(g, &desktop);
    g->from = taken ? desktop_name(kind) : g->from;
    settings_free(&desktop);
    return taken;
}

/* One proxy's URL, as a program has it. */
static bool take_program(struct guess *g, const char *command, const char *name)
{
    struct buf out = {0};
    struct settings s = {.say = SETTINGS_MANUAL};
    struct span scheme;
    read_output(command, &out);
    struct span all = buf_span(&out), line = span_trim(span_cut(&all, '\n'));
    char *text = span_dup(line);
    struct span url = span_str(line.n && strchr(text, '@') ? without_user(text) : text);
    bool taken = url.n && settings_proxy_read(&s.https, url, 0, &scheme) &&
                 !span_istarts(scheme, SPAN("socks")) && take(g, &s);
    g->from = taken ? name : g->from;
    settings_free(&s);
    secret_wipe(text, line.n);
    free(text);
    if (out.p)
        secret_wipe(out.p, out.cap);
    buf_free(&out);
    return taken;
}

static bool take_programs(struct guess *g)
{
    static const struct {
        const char *command, *name;
    } rows[] = {
        {"git config --global --get http.proxy 2>/dev/null", "git's settings"},
        {"apt-config shell p Acquire::https::Proxy 2>/dev/null | sed -n \"s/^p='\\(.*\\)'$/\\1/p\"",
         "apt's settings"},
        {"apt-config shell p Acquire::http::Proxy 2>/dev/null | sed -n \"s/^p='\\(.*\\)'$/\\1/p\"",
         "apt's settings"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (take_program(g, rows[i].command, rows[i].name))
            return true;
    return false;
}

void guess_make(struct guess *g)
{
    struct settings environment = {0};
    *g = (struct guess){0};
    current = g;
    environ_read(variable, &environment);
    if (take(g, &environment))
        g->from = "the environment";
    else if (!take_desktop(g))
        take_programs(g);
    settings_free(&environment);
    for (size_t i = 0; i < n_stripped; i++)
        buf_free(&stripped[i]);
    n_stripped = 0;
}

void guess_free(struct guess *g)
{
    buf_free(&g->proxy);
    buf_free(&g->user);
    buf_free(&g->pac);
    buf_free(&g->no_proxy);
}
