/*
 * Guesses for exeat setup, in this order: the environment, then the settings of the desktop (GNOME's, KDE's). Our own listener is no guess. One thread.
 */
#include <stdio.h>
#include <stdlib.h>

#include "apps/file.h"
#include "cli/setup.h"
#include "config/paths.h"
#include "source/desktop.h"
#include "source/environ.h"
#include "source/gnome.h"
#include "source/kde.h"

#define LISTING_MOST ((size_t)64 << 10)
#define OWN_PORT     3128

static const char *variable(const char *name)
{
    return getenv(name);
}

static void read_gnome(struct settings *s)
{
    struct buf listing = {0};
    char part[4096];
    size_t n;
    /* NOLINTNEXTLINE(cert-env33-c): the command is fixed */
    FILE *f = popen("gsettings list-recursively org.gnome.system.proxy 2>/dev/null", "re");
    while (f && (n = fread(part, 1, sizeof part, f)) > 0 && listing.n < LISTING_MOST)
        buf_add(&listing, part, n);
    if (f)
        pclose(f);
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
    if (s->say == SETTINGS_MANUAL && p->host && !is_ourselves(p)) {
        bool ipv6 = strchr(p->host, ':') != NULL;
        buf_addf(&g->proxy, "%s://%s%s%s:%u", p->tls ? "https" : "http", ipv6 ? "[" : "", p->host,
                 ipv6 ? "]" : "", p->port);
        for (size_t i = 0; i < s->n_ignore; i++)
            buf_addf(&g->no_proxy, "%s%s", i ? " " : "", s->ignore[i]);
    }
    return g->pac.n || g->proxy.n;
}

void guess_make(struct guess *g)
{
    struct settings environment = {0}, desktop = {0};
    *g = (struct guess){0};
    environ_read(variable, &environment);
    if (take(g, &environment)) {
        g->from = "the environment";
    } else {
        enum desktop_kind kind = desktop_kind_here();
        if (kind == DESKTOP_GNOME)
            read_gnome(&desktop);
        else if (kind == DESKTOP_KDE)
            read_kde(&desktop);
        if (take(g, &desktop))
            g->from = desktop_name(kind);
    }
    settings_free(&environment);
    settings_free(&desktop);
}

void guess_free(struct guess *g)
{
    buf_free(&g->proxy);
    buf_free(&g->pac);
    buf_free(&g->no_proxy);
}
