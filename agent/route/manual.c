/*
 * Desktops and programs agree that a name in the list of exceptions stands for all below it too, with or without a dot or "*." in front.
 */
#include "route/manual.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/pattern.h"

struct manual {
    char *from, *http, *https; /* the results */
    struct pattern *ignore;
    size_t n_ignore;
    bool ignore_all_else;
};

static char *result_of(const struct pac_manual_proxy *p, const struct pac_manual_proxy *socks)
{
    struct buf text = {0};
    const char *kind = p->host ? (p->tls ? "HTTPS" : "PROXY") : "SOCKS5";
    if (!p->host)
        p = socks;
    if (p->host)
        buf_addf(&text, strchr(p->host, ':') ? "%s [%s]:%u" : "%s %s:%u", kind, p->host, p->port);
    else
        buf_add_str(&text, "DIRECT");
    char *result = span_dup(buf_span(&text));
    buf_free(&text);
    return result;
}

/* As one of our patterns: names with a dot in front. */
static void add_ignored(struct manual *m, const char *text)
{
    struct err e;
    struct pattern p;
    struct buf suffix = {0};
    if (strncmp(text, "*.", 2) == 0)
        text++;
    if (!pattern_read(&p, text, &e)) {
        log_warning(NULL, "%s: an exception is left out: %s", m->from, e.text);
        return;
    }
    if (p.kind == PATTERN_NAME) {
        pattern_free(&p);
        buf_addf(&suffix, ".%s", text);
        bool good = pattern_read(&p, buf_cstr(&suffix), &e);
        buf_free(&suffix);
        if (!good)
            return;
    }
    m->ignore = mem_grow(m->ignore, (m->n_ignore + 1) * sizeof *m->ignore);
    m->ignore[m->n_ignore++] = p;
}

struct manual *manual_new(const struct pac_manual *from)
{
    struct manual *m = mem_zero(sizeof *m);
    m->from = mem_strdup(from->from);
    m->http = result_of(&from->http, &from->socks);
    m->https = result_of(&from->https, &from->socks);
    m->ignore_all_else = from->ignore_all_else;
    for (size_t i = 0; i < from->n_ignore; i++)
        add_ignored(m, from->ignore[i]);
    return m;
}

void manual_free(struct manual *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n_ignore; i++)
        pattern_free(&m->ignore[i]);
    free(m->ignore);
    free(m->from);
    free(m->http);
    free(m->https);
    free(m);
}

void manual_result(const struct manual *m, struct span scheme, struct span host, uint16_t port,
                   struct buf *out)
{
    struct destination d = destination_of(host, port);
    bool listed = false;
    for (size_t i = 0; i < m->n_ignore && !listed; i++)
        listed = pattern_matches(&m->ignore[i], &d);
    buf_add_str(out, listed != m->ignore_all_else     ? "DIRECT"
                     : span_ieq(scheme, SPAN("http")) ? m->http
                                                      : m->https);
}

const char *manual_from(const struct manual *m)
{
    return m->from;
}
