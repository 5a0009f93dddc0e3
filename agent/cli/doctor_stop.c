/*
 * The stops on the ways that a request may go: which there are, in which order, and how each is reached from here without anybody's credentials. A way
 * that needs a sign-in before its end is looked at as far as that; the rest is for the request itself.
 */
#include <stdlib.h>

#include "cli/doctor.h"
#include "http/target.h"

/* --- which there are --- */

/* NULL: there are too many. */
static struct stop *stop_at(struct doctor *d, struct hop *hop, struct stop *before)
{
    for (size_t i = 0; i < d->n_stops; i++)
        if (d->stops[i]->hop == hop && d->stops[i]->before == before)
            return d->stops[i];
    if (d->n_stops == STOPS_MOST)
        return NULL;
    struct stop *s = d->stops[d->n_stops++] = mem_alloc(sizeof *s);
    *s = STOP_NEW;
    s->hop = hop_ref(hop);
    s->before = before;
    if (before && !before->next)
        before->next = s;
    return s;
}

/* One of them for each way through those before it. Settings bound how deep that goes (via). */
static size_t ways_to(struct doctor *d, struct hop *hop, struct stop *ends[WAYS_MOST])
{
    size_t n = 0;
    if (hop->n_through == 0) {
        ends[0] = stop_at(d, hop, NULL);
        return ends[0] != NULL;
    }
    for (size_t i = 0; i < hop->n_through; i++) {
        struct stop *before[WAYS_MOST];
        size_t m = ways_to(d, hop->through[i], before);
        for (size_t k = 0; k < m && n < WAYS_MOST; k++)
            n += (ends[n] = stop_at(d, hop, before[k])) != NULL;
    }
    return n;
}

void stops_of(struct doctor *d, struct hop *const *hops, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct stop *ends[WAYS_MOST];
        if (i > 0 && hop_is_direct(hops[i]))
            continue; /* where all proxies fail; that a name is not known here says nothing as long as they do not */
        size_t m = ways_to(d, hops[i], ends);
        for (size_t k = 0; k < m && d->n_ends < WAYS_MOST; k++)
            d->ends[d->n_ends++] = ends[k];
    }
}

void stop_free(struct stop *s)
{
    line_close(&s->line);
    if (s->addresses)
        freeaddrinfo(s->addresses);
    hop_unref(s->hop);
    buf_free(&s->offer);
    buf_free(&s->date);
    buf_free(&s->keys.lines);
    buf_free(&s->keys.header);
    buf_free(&s->ntlm.lines);
    buf_free(&s->ntlm.header);
    for (unsigned i = 0; i < STEPS; i++) {
        buf_free(&s->findings[i].evidence);
        buf_free(&s->findings[i].remedy);
    }
    free(s);
}

void walk_proxy(struct doctor *d, struct finding *f)
{
    const struct stop *s = d->at;
    finding_say(f, MARK_NOTE, "%s", s->hop->name);
    if (s->before)
        buf_addf(&f->evidence, ", through %s", s->before->hop->name);
    else if (s->next)
        buf_addf(&f->evidence, ", on the way to %s", s->next->hop->name);
    if (s->spare)
        buf_add_str(&f->evidence, ", which is tried when the way above cannot be gone");
}

/* --- how they are reached --- */

static bool tunnel(struct line *l, const struct stop *via, const struct hop *to, unsigned ms, struct err *e)
{
    struct buf place = {0}, question = {0};
    struct head h = {0};
    if (via->hop->socks)
        return socks_tunnel(l, span_str(to->host), to->port, ms, e);
    target_add_authority(&place, span_str(to->host), to->port);
    buf_addf(&question, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: exeat/" EXEAT_VERSION "\r\n\r\n",
             buf_cstr(&place), buf_cstr(&place));
    bool good = line_send(l, buf_span(&question), ms, e) && line_head(l, ms, &h, e);
    if (good && h.status == 407)
        good = err_set(e, ERR_REFUSED, "%s asks who we are first", via->hop->name);
    else if (good && h.status >= 300)
        good = err_set(e, ERR_UNREACHABLE, "%s does not lead on to %s: it answered %u", via->hop->name,
                       buf_cstr(&place), h.status);
    head_free(&h);
    buf_free(&place);
    buf_free(&question);
    return good;
}

/* TCP, or what stands in for it. */
static bool reach(struct stop *s, unsigned ms, struct line *l, struct err *e)
{
    const struct addrinfo *chosen;
    if (!s->before)
        return line_connect(l, s->addresses, ms, &chosen, e);
    if (s->before->asks)
        return err_set(e, ERR_REFUSED, "%s asks who we are first", s->before->hop->name);
    if (s->hop->tls && s->before->hop->tls)
        return err_set(e, ERR_REFUSED, "it is TLS inside of TLS");
    return stop_dial(s->before, ms, l, e) && tunnel(l, s->before, s->hop, ms, e);
}

bool stop_dial(struct stop *s, unsigned ms, struct line *l, struct err *e)
{
    *l = LINE_NOBODY;
    bool good = reach(s, ms, l, e) && (!s->hop->tls || line_secure(l, s->hop->tls, ms, e));
    if (!good)
        line_close(l);
    return good;
}

void walk_tunnel(struct doctor *d, struct finding *f)
{
    struct err e = {0};
    struct stop *s = d->at;
    uint64_t begun = line_now();
    s->line = LINE_NOBODY;
    if (reach(s, doctor_patience(s, s->hop->dial_ms), &s->line, &e)) {
        finding_say(f, MARK_OK, "%s leads to it (%llu ms)", s->before->hop->name,
                    (unsigned long long)(line_now() - begun));
        return;
    }
    line_close(&s->line);
    if (e.code == ERR_REFUSED)
        finding_say(f, MARK_SKIP, "not tried from here: %s; the request below goes that way", e.text);
    else
        finding_fail(f, EXIT_UNREACHABLE,
                     "Check proxy = and via =; ask whoever runs the one before it whether it may lead there.",
                     "%s", e.text);
}
