/*
 * The last steps: one real request, through the agent as any program would send it, or without an agent on a connection of our own with the
 * keyholder's help; and where the time went. A password that nobody has taken yet is spent only when the person said so, one that was refused never.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/ask_agent.h"
#include "cli/doctor.h"
#include "cli/say.h"
#include "upstream/ask.h"

#define REQUEST_MS 40000
#define BODY_MOST  ((size_t)256 << 10)
#define HEAD_MOST  ((size_t)256 << 10)
#define STATUS_MS  5000

/* What came back. */
struct reply {
    unsigned status;
    struct buf why, remedy; /* where exeat itself says no */
    struct buf error;       /* Proxy-Status: what kind of no */
    struct buf legs;
};

static void reply_free(struct reply *r)
{
    buf_free(&r->why);
    buf_free(&r->remedy);
    buf_free(&r->error);
    buf_free(&r->legs);
}

/* --- through the agent --- */

struct counted {
    json_int_t connections, challenges, handshakes;
};

static void count(struct doctor *d, struct counted *n)
{
    struct err e;
    json_t *question = json_pack("{s:s}", "verb", "status");
    json_t *answer = control_question(d->agent, question, STATUS_MS, &e);
    json_t *c = json_object_get(answer, "counters");
    *n = (struct counted){json_integer_value(json_object_get(c, "connections")),
                          json_integer_value(json_object_get(c, "challenges")),
                          json_integer_value(json_object_get(c, "handshakes"))};
    json_decref(question);
    json_decref(answer);
}

/* What an error page of ours says in plain text. */
static void read_page(struct span text, struct reply *r)
{
    while (text.n) {
        struct span line = span_cut(&text, '\n');
        if (span_starts(line, SPAN("What happened: ")))
            buf_add_span(&r->why, span_from(line, 15));
        else if (span_starts(line, SPAN("What to do: ")))
            buf_add_span(&r->remedy, span_from(line, 12));
    }
}

static bool converse(struct doctor *d, struct line *l, struct reply *r, struct err *e)
{
    struct buf text = {0};
    struct head h = {0};
    if (d->tunnel)
        buf_addf(&text, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", buf_cstr(&d->authority),
                 buf_cstr(&d->authority));
    else
        buf_addf(&text, "GET %s HTTP/1.1\r\nHost: %s\r\n", buf_cstr(&d->target), buf_cstr(&d->authority));
    buf_add_str(&text, "User-Agent: exeat/" EXEAT_VERSION "\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    bool good = line_send(l, buf_span(&text), REQUEST_MS, e) && line_head(l, REQUEST_MS, &h, e);
    buf_free(&text);
    if (!good)
        return false;
    r->status = h.status;
    const struct field *proxy_status = head_field(&h, "Proxy-Status");
    bool ours = proxy_status && span_starts(proxy_status->value, SPAN("exeat; error="));
    if (ours)
        buf_add_span(&r->error, proxy_status->value);
    bool tunnel = d->tunnel && h.status < 300;
    good = tunnel || line_rest(l, BODY_MOST, REQUEST_MS, e);
    if (ours)
        read_page(buf_span(&l->in), r);
    head_free(&h);
    return good;
}

static bool ask_agent_for_it(struct doctor *d, struct reply *r, struct err *e)
{
    json_t *list = doctor_listeners(d);
    const char *place = doctor_our_listener(list);
    struct counted before, after;
    struct line l;
    count(d, &before);
    bool good = line_dial(&l, place ? place : "", STATUS_MS, e) && converse(d, &l, r, e);
    line_close(&l);
    count(d, &after);
    buf_addf(&r->legs,
             "%" JSON_INTEGER_FORMAT " new connection%s, asked who we are %" JSON_INTEGER_FORMAT
             " time%s, %" JSON_INTEGER_FORMAT " sign-in%s",
             after.connections - before.connections, after.connections - before.connections == 1 ? "" : "s",
             after.challenges - before.challenges, after.challenges - before.challenges == 1 ? "" : "s",
             after.handshakes - before.handshakes, after.handshakes - before.handshakes == 1 ? "" : "s");
    json_decref(list);
    return good;
}

/* --- without one --- */

struct errand {
    struct ask ask;
    struct loop *loop;
    struct reply *reply;
    unsigned legs;
};

static void answered(void *owner)
{
    struct errand *x = owner;
    x->reply->status = x->ask.leg.head.status;
    x->legs = x->ask.legs;
    pool_close(ask_take(&x->ask));
    loop_stop(x->loop);
}

static void failed(void *owner, const struct ask_failure *failure)
{
    struct errand *x = owner;
    x->reply->status = page_status(failure->cause);
    x->legs = x->ask.legs;
    buf_add_span(&x->reply->why, failure->why);
    buf_add_span(&x->reply->remedy, failure->remedy);
    buf_add_str(&x->reply->error, failure->cause == PAGE_SECRET_REFUSED    ? "http_request_denied"
                                  : failure->cause == PAGE_CONNECT_TIMEOUT ? "connection_timeout"
                                  : failure->cause == PAGE_ANSWER_TIMEOUT  ? "http_response_timeout"
                                                                           : "proxy_internal_response");
    loop_stop(x->loop);
}

static void informational(void *owner, const struct head *h)
{
    (void)owner;
    (void)h;
}

static void no_body(void *owner)
{
    (void)owner;
}

static enum ask_rewind nothing_to_rewind(void *owner)
{
    (void)owner;
    return ASK_REWIND_WHOLE;
}

static void write_head(struct doctor *d, struct buf *text)
{
    buf_addf(text, d->tunnel ? "CONNECT %s" : "GET %s", buf_cstr(d->tunnel ? &d->authority : &d->target));
    buf_addf(text, " HTTP/1.1\r\nHost: %s\r\nUser-Agent: exeat/" EXEAT_VERSION "\r\nAccept: */*\r\n\r\n",
             buf_cstr(&d->authority));
}

static bool ask_alone(struct doctor *d, struct reply *r, struct err *e)
{
    static const struct ask_events events = {informational, no_body, nothing_to_rewind, no_body, no_body,
                                             answered,      failed};
    struct outbound *out = doctor_own_outbound(d);
    struct errand *x = mem_zero(sizeof *x);
    struct buf text = {0};
    struct head h = {0};
    struct fault fault;
    write_head(d, &text);
    if (!head_read_request(&h, buf_span(&text), &head_limits_default, &fault)) {
        buf_free(&text);
        free(x);
        return err_set(e, ERR_USAGE, "\"%s\" cannot be asked for: %s", d->url, fault.why);
    }
    struct ask_request request = {.head = &h,
                                  .how = {.target = h.target,
                                          .host = buf_span(&d->authority),
                                          .via = span_str(out->pseudonym),
                                          .to_proxy = true},
                                  .body = ASK_BODY_NONE,
                                  .max_head = HEAD_MOST,
                                  .fresh = true};
    x->loop = out->loop;
    x->reply = r;
    ask_start(&x->ask, out, d->end->hop, &request, "doctor", &events, x);
    loop_run(out->loop);
    buf_addf(&r->legs, "%u leg%s, asked who we are %" PRIu64 " time%s", x->legs, x->legs == 1 ? "" : "s",
             out->counters.challenges, out->counters.challenges == 1 ? "" : "s");
    ask_cancel(&x->ask);
    head_free(&h);
    buf_free(&text);
    free(x);
    return true;
}

/* --- what it says --- */

/* The agent's own "denied" with another status is about this program, not about a password. */
static enum exit_code code_of(struct span error, unsigned status)
{
    static const struct {
        const char *word;
        enum exit_code code;
    } rows[] = {{"http_request_denied", EXIT_REFUSED},
                {"timeout", EXIT_UNREACHABLE},
                {"connection_refused", EXIT_UNREACHABLE},
                {"destination_unavailable", EXIT_UNREACHABLE},
                {"dns_error", EXIT_UNREACHABLE}};
    for (size_t i = 0; error.n && i < sizeof rows / sizeof *rows; i++)
        if (memmem(error.p, error.n, rows[i].word, strlen(rows[i].word)))
            return rows[i].code == EXIT_REFUSED && status != 502 ? EXIT_FAILED : rows[i].code;
    return EXIT_FAILED;
}

static void judge(struct doctor *d, struct reply *r, struct finding *f)
{
    if (r->error.n || r->why.n) {
        finding_fail(f, code_of(buf_span(&r->error), r->status), buf_cstr(&r->remedy), "%s",
                     buf_cstr(&r->why));
    } else if (r->status == 407) {
        finding_fail(f, EXIT_REFUSED,
                     "Name schemes in auth =, unless the programs are to sign in themselves.",
                     "the proxy asks who we are (407), and the configuration says that nothing is answered");
    } else if (!d->chosen_url) {
        finding_say(f, MARK_OK,
                    "the proxy %s %u for " KEYS_ASIDE_HOST
                    ", a name that cannot exist; exeat doctor URL asks for a "
                    "real one",
                    d->end->asks || !d->end->answered ? "let us in: it answered" : "answered", r->status);
    } else if (r->status == 403) {
        finding_fail(f, EXIT_FAILED,
                     "That is its policy, not exeat's: ask your administrator about this address.",
                     "the proxy let us in and forbids %s (403)", d->url);
    } else if (r->status >= 502 && r->status <= 504) {
        finding_fail(
            f, EXIT_UNREACHABLE,
            "Check the address; if it is right, the trouble lies behind the proxy: ask your administrator.",
            "the proxy let us in and could not fetch %s (%u)", d->url, r->status);
    } else if (d->tunnel && r->status >= 300) {
        finding_fail(f, EXIT_FAILED, "Ask your administrator whether the proxy allows that port.",
                     "the proxy opened no tunnel to %s (%u)", buf_cstr(&d->authority), r->status);
    } else {
        finding_say(f, MARK_OK, "%s answered %u", d->url, r->status);
    }
}

/* What a request would cost there. false: it is not sent. One that could not be asked may want to know who we are. */
static bool may_send_to(const struct doctor *d, const struct stop *s, struct finding *f)
{
    struct span mark, evidence, remedy;
    bool asked = (s->asks || !s->answered) && doctor_found(s, "attempt", &mark, &evidence, &remedy);
    if (!asked || span_eq(mark, SPAN(KEYS_FOUND_OK)) || span_eq(mark, SPAN(KEYS_FOUND_SKIP)))
        return true;
    if (d->spend && span_eq(mark, SPAN(KEYS_FOUND_NOTE)))
        return true;
    bool none = span_eq(mark, SPAN(KEYS_FOUND_BAD));
    finding_say(f, MARK_NOTE, "not sent: %.*s%s", SPAN_ARG(evidence),
                none ? "" : ", and a wrong one would count as an attempt");
    if (d->n_stops > 1)
        buf_addf(&f->evidence, " (%s)", s->hop->name);
    if (!none)
        buf_add_str(&f->remedy, "exeat doctor --try spends one attempt");
    return false;
}

static bool may_send(const struct doctor *d, struct finding *f)
{
    for (const struct stop *s = d->end; s; s = s->before)
        if (!may_send_to(d, s, f))
            return false;
    return true;
}

static bool has_entrance(const struct doctor *d)
{
    json_t *list = doctor_listeners(d);
    bool found = doctor_our_listener(list) != NULL;
    json_decref(list);
    return found;
}

void walk_request(struct doctor *d, struct finding *f)
{
    struct err e = {0};
    struct reply r = {0};
    if (!d->agent && (hop_is_direct(d->end->hop) || hop_wants_beyond(d->end->hop, d->tunnel))) {
        finding_say(f, MARK_SKIP, "not sent: on this way only a running agent can send it");
        return;
    }
    if (!d->chosen_url && json_is_false(json_object_get(d->status, "on"))) {
        finding_say(f, MARK_SKIP, "not sent: exeat is switched off");
        return;
    }
    if (d->agent && !has_entrance(d)) {
        finding_say(f, MARK_SKIP, "not sent: the agent has no listener for programs of this machine");
        return;
    }
    if (!may_send(d, f))
        return;
    uint64_t begun = line_now();
    if (d->agent ? ask_agent_for_it(d, &r, &e) : ask_alone(d, &r, &e)) {
        judge(d, &r, f);
        buf_addf(&f->evidence, " (%" PRIu64 " ms, %s%s)", line_now() - begun, buf_cstr(&r.legs),
                 d->agent ? ", through the agent" : "");
    } else {
        finding_fail(f, exit_from_err(e.code), "Look into the agent's log.",
                     "the agent gave no whole answer: %s", e.text);
    }
    reply_free(&r);
}

/* On the way that the request goes. */
static unsigned spent_on(const struct doctor *d, enum doctor_step step)
{
    unsigned ms = d->findings[step].ms;
    for (const struct stop *s = d->end; s; s = s->before)
        ms += s->findings[step].ms;
    return ms;
}

void walk_duration(struct doctor *d, struct finding *f)
{
    static const struct {
        enum doctor_step step;
        const char *what;
    } rows[] = {{STEP_DNS, "the name"},
                {STEP_TCP, "TCP"},
                {STEP_TLS, "TLS"},
                {STEP_OFFER, "the proxy's first answer"},
                {STEP_KEYHOLDER, "secrets and Kerberos"},
                {STEP_REQUEST, "the request"}};
    size_t most = 0;
    unsigned longest = 0;
    finding_say(f, MARK_OK, "%s", "");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].step == STEP_REQUEST && d->findings[STEP_REQUEST].mark != MARK_OK)
            continue; /* it was not sent */
        unsigned ms = spent_on(d, rows[i].step);
        buf_addf(&f->evidence, "%s%s %u ms", i ? ", " : "", rows[i].what, ms);
        most = ms > longest ? i : most;
        longest = ms > longest ? ms : longest;
    }
    buf_addf(&f->evidence, "; most in %s", rows[most].what);
}
