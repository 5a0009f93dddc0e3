/*
 * What the keyholder knows: one EXAMINE about the proxy that the walk has come to, asked of the agent's keyholder or of one that is started for
 * it, and one more about the NTLM challenge that a first token without a secret brings out of the proxy.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "cli/keyholder.h"
#include "upstream/outbound.h"
#include "upstream/pool.h"

#define KEYS_MS 20000 /* beyond the keyholder's own limits */
#define NTLM_MS 10000

/* --- a keyholder of our own --- */

struct doctor_own {
    struct loop *loop;
    struct outbound out;
    struct examined *answer; /* where the next one goes */
    struct err *e;
    bool good;
};

static void ignore(void *owner, const struct keys_msg *event)
{
    (void)owner;
    (void)event; /* no connections are kept here, and no trial is wanted by anybody */
}

static void take(const struct keys_msg *m, struct examined *to)
{
    buf_add_span(&to->lines, m->lines);
    buf_add_span(&to->header, m->header);
}

static bool judge(const struct keys_msg *m, struct err *e)
{
    return m->verdict == KEYS_OK ||
           err_set(e, m->verdict == KEYS_TIMEOUT ? ERR_TIMEOUT : ERR_SYSTEM, "%.*s%s%.*s", SPAN_ARG(m->why),
                   m->remedy.n ? "\n" : "", SPAN_ARG(m->remedy));
}

static void answered(void *owner, const struct keys_msg *m)
{
    struct doctor_own *own = owner;
    own->good = judge(m, own->e);
    if (own->good)
        take(m, own->answer);
    loop_stop(own->loop);
}

struct outbound *doctor_own_outbound(struct doctor *d)
{
    static const struct keys_client_events events = {ignore, ignore, NULL};
    if (d->agent)
        return NULL;
    if (!d->own) {
        d->own = mem_zero(sizeof *d->own);
        struct outbound *out = &d->own->out;
        log_set_level(LOG_LEVEL_ERROR);
        d->own->loop = out->loop = loop_new();
        snprintf(out->pseudonym, sizeof out->pseudonym, "exeat-doctor");
        out->keys = keys_client_new(out->loop, d->config->file, KEYS_ONE_ERRAND, &events, d);
    }
    return &d->own->out;
}

void doctor_own_free(struct doctor *d)
{
    if (!d->own)
        return;
    if (d->routes) /* connections tell the keyholder of their end */
        route_table_each(d->routes, pool_flush);
    keys_client_free(d->own->out.keys);
    route_table_unref(d->routes);
    d->routes = NULL;
    loop_free(d->own->loop);
    free(d->own);
    d->own = NULL;
}

static bool ask_own(struct doctor *d, struct keys_msg *question, struct examined *to, struct err *e)
{
    struct keys_call call;
    struct outbound *out = doctor_own_outbound(d);
    if (!keys_client_is_installed(out->keys, e))
        return false;
    d->own->answer = to;
    d->own->e = e;
    keys_call_start(out->keys, &call, question, answered, d->own);
    loop_run(d->own->loop);
    return d->own->good;
}

static bool ask(struct doctor *d, struct span lines, struct examined *to, struct err *e)
{
    struct keys_msg answer, question = {.type = KEYS_EXAMINE,
                                        .call = 1,
                                        .upstream = span_str(d->at->hop->upstream),
                                        .host = span_str(d->at->hop->host),
                                        .port = d->at->hop->port,
                                        .lines = lines};
    if (!d->agent)
        return ask_own(d, &question, to, e);
    struct frame_reader frames;
    frame_reader_init(&frames);
    bool good = keyholder_ask(&question, KEYS_MS, &frames, &answer, e) && judge(&answer, e);
    if (good)
        take(&answer, to);
    frame_reader_free(&frames);
    return good;
}

/* --- steps --- */

void walk_keyholder(struct doctor *d, struct finding *f)
{
    struct err e = {0};
    if (doctor_signs_nowhere(d->at)) {
        finding_say(f, MARK_SKIP, "nobody needs to sign in on this way");
        return;
    }
    if (d->at->hop->found) {
        finding_say(f, MARK_SKIP, "no upstream names this proxy: it gets no credentials");
        return;
    }
    uint64_t begun = line_now();
    bool good = ask(d, buf_span(&d->at->offer), &d->at->keys, &e);
    if (good)
        finding_say(f, MARK_OK, "exeat-keys answers (%" PRIu64 " ms)", line_now() - begun);
    else if (d->agent && e.code == ERR_GONE)
        finding_fail(f, EXIT_FAILED, "exeat stop, then exeat run; the log says why it ended",
                     "the agent is running, but the program that keeps its passwords (exeat-keys) is not");
    else if (e.code == ERR_TIMEOUT)
        finding_fail(f, EXIT_UNREACHABLE,
                     "exeat stop, then exeat run; if that does not help, look into the log",
                     "the program that keeps the passwords (exeat-keys) does not answer");
    else
        finding_fail_err(f, &e, "Install exeat and exeat-keys together, from the same version");
}

bool doctor_found(const struct stop *s, const char *step, struct span *mark, struct span *evidence,
                  struct span *remedy)
{
    struct span rest = buf_span(step[0] == 'n' ? &s->ntlm.lines : &s->keys.lines);
    while (rest.n) {
        struct span line = span_cut(&rest, '\n');
        if (!span_eq(span_cut(&line, '\t'), span_str(step)))
            continue;
        *mark = span_cut(&line, '\t');
        *evidence = span_cut(&line, '\t');
        *remedy = line;
        return true;
    }
    return false;
}

/* SOCKS has no schemes to choose from. */
static void explain_socks(struct doctor *d, struct finding *f)
{
    struct span mark, evidence, remedy;
    if (doctor_found(d->at, "attempt", &mark, &evidence, &remedy) && span_eq(mark, SPAN(KEYS_FOUND_BAD)))
        finding_fail(f, EXIT_FAILED, "Mend what is marked above.", "none: %.*s", SPAN_ARG(evidence));
    else
        finding_say(f, MARK_OK, "user and password, as SOCKS5 has it");
}

void walk_found(struct doctor *d, struct finding *f)
{
    static const struct {
        const char *word;
        enum doctor_mark mark;
        enum exit_code code;
    } marks[] = {
        {KEYS_FOUND_OK, MARK_OK, EXIT_DONE},          {KEYS_FOUND_BAD, MARK_BAD, EXIT_FAILED},
        {KEYS_FOUND_REFUSED, MARK_BAD, EXIT_REFUSED}, {KEYS_FOUND_UNREACHABLE, MARK_BAD, EXIT_UNREACHABLE},
        {KEYS_FOUND_NOTE, MARK_NOTE, EXIT_DONE},      {KEYS_FOUND_SKIP, MARK_SKIP, EXIT_DONE}};
    struct span mark, evidence, remedy;
    if (f->step == STEP_SCHEME && d->at->hop->socks && d->at->asks) {
        explain_socks(d, f);
        return;
    }
    const char *step = doctor_step_name(f->step);
    if (!doctor_found(d->at, step, &mark, &evidence, &remedy)) {
        finding_say(f, MARK_SKIP, "not needed on this way");
        return;
    }
    f->mark = MARK_SKIP;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (span_eq(mark, span_str(marks[i].word))) {
            f->mark = marks[i].mark;
            f->code = marks[i].code;
        }
    if (f->mark == MARK_BAD && d->at->answer && d->at->answer != 407)
        f->mark = MARK_NOTE; /* what nobody has asked for is not missed */
    buf_add_span(&f->evidence, evidence);
    buf_add_span(&f->remedy, remedy);
}

/* On a new connection: the other one has had its 407, and may be closed. */
static bool bring_out(struct doctor *d, struct buf *lines, struct err *e)
{
    struct line l;
    struct head h = {0};
    struct buf question = {0};
    buf_addf(&question,
             "GET " KEYS_ASIDE_TARGET " HTTP/1.1\r\nHost: " KEYS_ASIDE_HOST
             "\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: %s\r\n\r\n",
             buf_cstr(&d->at->keys.header));
    bool good = stop_dial(d->at, NTLM_MS, &l, e) && line_send(&l, buf_span(&question), NTLM_MS, e) &&
                line_head(&l, NTLM_MS, &h, e);
    for (const struct field *x = head_field(&h, "Proxy-Authenticate"); good && x; x = head_field_next(&h, x))
        if (span_istarts(x->value, SPAN("NTLM ")))
            buf_addf(lines, "%.*s\n", SPAN_ARG(x->value));
    good = good && (lines->n ||
                    err_set(e, ERR_PROTOCOL, "the proxy offers NTLM and does not begin it (%u)", h.status));
    head_free(&h);
    buf_free(&question);
    line_close(&l);
    return good;
}

void walk_ntlm(struct doctor *d, struct finding *f)
{
    struct buf lines = {0};
    struct err e = {0};
    if (!d->at->keys.header.n) {
        finding_say(f, MARK_SKIP, "NTLM is not offered, or not named in auth =");
        return;
    }
    if (bring_out(d, &lines, &e) && ask(d, buf_span(&lines), &d->at->ntlm, &e))
        walk_found(d, f);
    else
        finding_fail(f, exit_from_err(e.code),
                     "Ask your administrator, or leave ntlm out of auth =", "no NTLM challenge: %s", e.text);
    buf_free(&lines);
}
