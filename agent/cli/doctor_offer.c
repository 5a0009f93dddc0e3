/*
 * What a proxy says to somebody whom it does not know: that it wants to know who we are and how it takes that, or whatever else answers in its place;
 * and what time it is there.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "base/escape.h"
#include "cli/doctor.h"
#include "http/target.h"

#define SKEW_MOST   300
#define SKEW_NOTE   60
#define OFFER_MOST  ((size_t)32 << 10) /* bytes of challenges that are looked at, */
#define OFFER_SHOWN 8                  /* and lines of them that are shown, */
#define VALUE_SHOWN 200                /* with so much of each */

/* What will be asked of it later: a tunnel to the stop behind it, or the request itself. */
static void write_question(struct doctor *d, struct buf *out)
{
    struct buf place = {0};
    const struct stop *next = d->at->next;
    if (next)
        target_add_authority(&place, span_str(next->hop->host), next->hop->port);
    else
        buf_add_span(&place, buf_span(&d->authority));
    if (next || d->tunnel || d->at->hop->connect_always)
        buf_addf(out, "CONNECT %s HTTP/1.1\r\n", buf_cstr(&place));
    else
        buf_addf(out, "GET %s HTTP/1.1\r\n", buf_cstr(&d->target));
    buf_addf(out, "Host: %s\r\nUser-Agent: exeat/" EXEAT_VERSION "\r\nAccept: */*\r\n\r\n", buf_cstr(&place));
    buf_free(&place);
}

static void keep_answer(struct stop *s, const struct head *h)
{
    s->answered = true;
    s->answer = h->status;
    s->asks = h->status == 407;
    s->offer.max = OFFER_MOST;
    for (const struct field *x = head_field(h, "Proxy-Authenticate"); x && s->asks; x = head_field_next(h, x))
        buf_addf(&s->offer, "%.*s\n", SPAN_ARG(x->value));
    const struct field *date = head_field(h, "Date");
    if (date)
        buf_add_span(&s->date, date->value);
}

static void offer_failed(const struct doctor *d, struct finding *f, const struct err *e, unsigned ms)
{
    const char *name = d->at->hop->name;
    bool tls = strstr(e->text, "speaks TLS") != NULL, begun = strstr(e->text, "began") != NULL;
    if (e->code == ERR_PROTOCOL)
        finding_fail(f, EXIT_FAILED,
                     tls ? "Write https:// instead of http:// in proxy ="
                         : "Check host and port of proxy =: something else answers there",
                     "%s is no HTTP proxy: %s", name, e->text);
    else if (e->code == ERR_TIMEOUT)
        finding_fail(
            f, EXIT_UNREACHABLE,
            "It may be overloaded, or no HTTP proxy: ask your administrator; answer-timeout = says how "
            "long exeat waits",
            "%s %s (waited %u second%s)", name,
            begun ? "began its answer and did not end it" : "takes connections and does not answer",
            ms / 1000, ms / 1000 == 1 ? "" : "s");
    else
        finding_fail(f, EXIT_FAILED,
                     "Check host and port of proxy =; a proxy may also turn away whole networks",
                     "%s gave no answer: %s", name, e->text);
}

/* An answer that a proxy hardly gives for a name that cannot exist, or to CONNECT; `known`: for a real address. */
static bool is_suspicious(const struct head *h, bool known, bool tunnel, struct finding *f)
{
    static const char sign_in[] = "Open any page in a browser and sign in to the network there, then try "
                                  "again; on the company's own network "
                                  "ask your administrator.";
    static const char check[] = "Check host and port of proxy =, or look at a real address: exeat doctor URL";
    static const unsigned of_servers[] = {400, 404, 405, 421, 501};
    const struct field *location = head_field(h, "Location");
    struct span to = location ? escape_head(location->value, VALUE_SHOWN) : SPAN("nowhere");
    if (h->status == 511) {
        finding_fail(f, EXIT_FAILED, sign_in, "this network wants a sign-in of its own first (511)");
        return true;
    }
    if (known)
        return false;
    if (h->status >= 300 && h->status < 400) {
        finding_fail(
            f, EXIT_FAILED, sign_in,
            "instead of the proxy's word comes a page that sends us elsewhere (%u, to %.*s): so does the "
            "sign-in page of a network",
            h->status, SPAN_ARG(to));
        return true;
    }
    bool found = h->status < 300 && !tunnel;
    for (size_t i = 0; i < sizeof of_servers / sizeof *of_servers; i++)
        found = found || h->status == of_servers[i];
    if (found)
        finding_fail(
            f, EXIT_FAILED, check,
            "it does not ask who we are, and answered %u%s: a web server does so, or the sign-in page of a "
            "network; a proxy hardly",
            h->status, tunnel ? "" : " for a name that cannot exist");
    if (found)
        f->mark = MARK_NOTE;
    return found;
}

static void show_offer(const struct stop *s, struct finding *f)
{
    struct span rest = buf_span(&s->offer);
    unsigned n = 0;
    for (; rest.n && n < OFFER_SHOWN; n++) {
        struct span line = span_cut(&rest, '\n'), shown = escape_head(line, VALUE_SHOWN);
        buf_addf(&f->evidence, "\nProxy-Authenticate: %.*s%s", SPAN_ARG(shown),
                 shown.n < line.n ? " ..." : "");
    }
    if (rest.n)
        buf_add_str(&f->evidence, "\nand more");
}

static void judge(const struct doctor *d, const struct head *h, struct finding *f, uint64_t took)
{
    struct stop *s = d->at;
    bool tunnel = d->tunnel || s->next || s->hop->connect_always;
    if (s->asks && s->offer.n == 0)
        finding_fail(f, EXIT_FAILED, "Ask your administrator: a 407 must name a scheme.",
                     "it asks who we are (407) and names no scheme at all");
    else if (s->asks)
        finding_say(f, MARK_OK, "it asks who we are (407, %" PRIu64 " ms):", took);
    else if (!is_suspicious(h, d->chosen_url && !tunnel, tunnel, f))
        finding_say(f, MARK_OK,
                    "it does not ask who we are: it answered %u to a request without credentials "
                    "(%" PRIu64 " ms)",
                    h->status, took);
    show_offer(s, f);
}

void walk_offer(struct doctor *d, struct finding *f)
{
    struct err e = {0};
    struct head h = {0};
    struct buf question = {0};
    struct stop *s = d->at;
    uint64_t begun = line_now();
    unsigned ms = doctor_patience(s, s->hop->answer_ms);
    if (hop_is_direct(s->hop)) {
        finding_say(f, MARK_SKIP, "there is no proxy on this way");
        return;
    }
    if (s->line.fd < 0) {
        finding_say(f, MARK_SKIP, "not asked: it lies behind another proxy");
        return;
    }
    if (s->hop->socks) {
        walk_socks(d, f);
        return;
    }
    write_question(d, &question);
    bool good = line_send(&s->line, buf_span(&question), ms, &e) && line_head(&s->line, ms, &h, &e);
    buf_free(&question);
    if (good) {
        keep_answer(s, &h);
        judge(d, &h, f, line_now() - begun);
    } else {
        offer_failed(d, f, &e, ms);
    }
    head_free(&h);
}

void walk_time(struct doctor *d, struct finding *f)
{
    struct tm tm = {0};
    if (!d->at->answer) {
        finding_say(f, MARK_SKIP, "not known: no proxy has answered in HTTP");
        return;
    }
    const char *end =
        d->at->date.n ? strptime(buf_cstr(&d->at->date), "%a, %d %b %Y %H:%M:%S GMT", &tm) : NULL;
    if (!end || *end) {
        finding_say(f, MARK_SKIP, "the proxy does not say what time it is");
        return;
    }
    long long offset = (long long)(timegm(&tm) - time(NULL));
    long long size = offset < 0 ? -offset : offset;
    finding_say(f, size > SKEW_NOTE ? MARK_NOTE : MARK_OK,
                "this computer's clock is %lld second%s %s the proxy's", size, size == 1 ? "" : "s",
                offset > 0 ? "behind" : "ahead of");
    if (size > SKEW_MOST) {
        f->mark = MARK_BAD;
        f->code = EXIT_FAILED;
        buf_add_str(&f->remedy, "Set the clock, for instance with: timedatectl set-ntp true");
    }
}
