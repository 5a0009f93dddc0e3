/*
 * EXAMINE from its question to its answer: what can be looked up quietly is looked up (as STATUS does), then KDCs are asked for the proxy's ticket
 * and for their clock, side by side on workers; a deadline over each half, so that a KDC that swallows packets costs its own lines only.
 * Main thread, but for kdc_run.
 */
#include "keys/examine.h"

#include <stdlib.h>

#include "base/base64.h"
#include "keys/choose.h"
#include "keys/findings.h"
#include "keys/ntlm_check.h"
#include "keys/ntlm_target.h"
#include "keys/scheme.h"
#include "keys/work.h"

#define LOOK_MS  3000
#define KDC_MS   5000
#define ASKS_MAX 16

enum kdc_question { KDC_SERVICE, KDC_CLOCK, KDC_QUESTIONS };

struct examine;

struct kdc_job {
    struct job job;
    struct examine *x; /* NULL: it was answered without us. Main thread */
    enum kdc_question question;
    struct bundle *bundle; /* a reference: its ticket; NULL: none */
    struct account account;
    char *host, *spn;
    enum canonicalize canonicalize;
    enum ticket_result result;
    char *name;
    struct kdc_clock time;
    struct err why;
};

struct examine {
    struct list node;
    struct identity *who;
    struct hop *h;
    uint32_t peer, call;
    uint64_t since;
    struct deadline deadline;
    bool late, asked;
    struct kdc_job *jobs[KDC_QUESTIONS]; /* under way */
    struct examination found;
};

static struct list asks = LIST_HEAD(asks);

/* --- the KDCs --- */

static void kdc_run(struct job *job)
{
    struct kdc_job *j = (struct kdc_job *)job;
    if (j->question == KDC_CLOCK) {
        j->result =
            ticket_clock(&j->account, j->bundle ? j->bundle->ticket.principal : NULL, &j->time, &j->why);
        return;
    }
    struct service s = {j->host, j->spn, j->canonicalize};
    j->result = ticket_service(&j->bundle->ticket, &s, &j->name, &j->why);
}

static void job_free(struct kdc_job *j)
{
    bundle_unref(j->bundle);
    account_free(&j->account);
    free(j->host);
    free(j->spn);
    free(j->name);
    free(j->time.realm);
    free(j);
}

static void kdc_done(struct job *job)
{
    struct kdc_job *j = (struct kdc_job *)job;
    struct kdc_findings *k = j->x ? &j->x->found.kdc : NULL;
    if (k && j->question == KDC_SERVICE) {
        k->service = ASKED_ANSWERED;
        k->service_result = j->result;
        k->service_why = j->why;
        k->service_name = j->name;
        j->name = NULL;
    } else if (k) {
        k->clock = ASKED_ANSWERED;
        k->clock_result = j->result;
        k->clock_why = j->why;
        k->time = j->time;
        j->time.realm = NULL;
    }
    if (k)
        j->x->jobs[j->question] = NULL;
    job_free(j);
}

static void ask_kdc(struct examine *x, enum kdc_question question)
{
    const struct edition *e = x->who->current;
    bool ticket = e->bundle && e->bundle->ticket.cache;
    struct kdc_job *j = mem_zero(sizeof *j);
    j->job.run = kdc_run;
    j->job.done = kdc_done;
    j->x = x;
    j->question = question;
    j->bundle = ticket ? bundle_ref(e->bundle) : NULL;
    account_copy(&j->account, &e->account);
    j->host = mem_strdup(x->h->host);
    j->spn = mem_strdup(x->who->u->spn);
    j->canonicalize = x->who->u->canonicalize;
    x->jobs[question] = j;
    *(question == KDC_SERVICE ? &x->found.kdc.service : &x->found.kdc.clock) = ASKED_WAITING;
    work_submit(&j->job);
}

static void ask_kdcs(struct examine *x)
{
    const struct edition *e = x->who->current;
    bool ticket = e->bundle && e->bundle->ticket.cache && ticket_lasts(&e->bundle->ticket, time(NULL));
    bool wanted = choose_allows(x->who->u, AUTH_NEGOTIATE) &&
                  (!x->found.offer_known || choose_challenge(&x->found.offer, AUTH_NEGOTIATE));
    if (wanted && ticket)
        ask_kdc(x, KDC_SERVICE);
    if (wanted && (ticket || e->account.form != ACCOUNT_NONE))
        ask_kdc(x, KDC_CLOCK);
}

/* --- the answer --- */

static void refuse(struct keyholder *k, uint32_t peer, uint32_t call, const char *why)
{
    serve_send(k, peer,
               &(struct keys_msg){
                   .type = KEYS_ANSWER, .call = call, .verdict = KEYS_UNAVAILABLE, .why = span_str(why)});
}

/* The first NTLM token, where one may be asked and the proxy would answer it. */
static void write_question(const struct examine *x, struct buf *header)
{
    if (!x->found.offer_known || !choose_challenge(&x->found.offer, AUTH_NTLM) ||
        !choose_allows(x->who->u, AUTH_NTLM))
        return;
    buf_addf(header, "%s ", schemes[AUTH_NTLM].name);
    base64_encode(header, ntlm_target_question());
}

static void examine_free(struct examine *x)
{
    for (size_t i = 0; i < KDC_QUESTIONS; i++)
        if (x->jobs[i])
            x->jobs[i]->x = NULL;
    deadline_unset(&x->deadline);
    list_remove(&x->node);
    challenge_list_free(&x->found.offer);
    free(x->found.kdc.service_name);
    free(x->found.kdc.time.realm);
    free(x);
}

static void answer(struct examine *x)
{
    struct buf lines = {0}, header = {0};
    struct way_in way;
    if (!x->who->u) {
        refuse(x->who->k, x->peer, x->call, "The configuration has changed meanwhile: ask again.");
        return;
    }
    x->found.e = x->who->current;
    way_in_find(&x->found, &way);
    findings_write(&x->found, &lines);
    write_question(x, &header);
    serve_send(x->who->k, x->peer,
               &(struct keys_msg){.type = KEYS_ANSWER,
                                  .call = x->call,
                                  .verdict = KEYS_OK,
                                  .scheme = span_str(way_in_name(&way)),
                                  .identity = span_str(identity_text(x->found.e)),
                                  .header = buf_span(&header),
                                  .lines = buf_span(&lines)});
    buf_free(&lines);
    buf_free(&header);
}

static void late(struct deadline *d)
{
    list_entry(d, struct examine, deadline)->late = true;
}

void examine_run(struct keyholder *k)
{
    struct list *it, *safe;
    list_each(it, safe, &asks)
    {
        struct examine *x = list_entry(it, struct examine, node);
        if (x->who->u && !x->asked && (x->late || !edition_peek(x->who->current, x->since))) {
            x->asked = true;
            x->late = false;
            deadline_set(&k->deadlines, &x->deadline, KDC_MS);
            ask_kdcs(x);
        }
        bool over = x->asked && !x->jobs[KDC_SERVICE] && !x->jobs[KDC_CLOCK];
        if (!x->who->u || over || (x->asked && x->late)) {
            answer(x);
            examine_free(x);
        }
    }
}

/* Lines that hold an NTLM challenge are about that, and nothing else is asked. */
static bool answer_challenge(struct keyholder *k, uint32_t peer, uint32_t call,
                             const struct challenge_list *list)
{
    const struct challenge *c = choose_challenge(list, AUTH_NTLM);
    struct buf message = {0}, lines = {0};
    if (!c || !c->token68)
        return false;
    base64_decode(&message, span_str(c->token68));
    findings_of_challenge(buf_span(&message), &lines);
    serve_send(
        k, peer,
        &(struct keys_msg){.type = KEYS_ANSWER, .call = call, .verdict = KEYS_OK, .lines = buf_span(&lines)});
    buf_free(&message);
    buf_free(&lines);
    return true;
}

static size_t waiting(void)
{
    size_t n = 0;
    struct list *it, *safe;
    list_each(it, safe, &asks) n++;
    return n;
}

void examine_begin(struct keyholder *k, uint32_t peer, const struct keys_msg *m)
{
    struct identity *who = identity_named(k, m->upstream);
    struct hop *h = who && who->u ? identity_hop(who, m->host, m->port) : NULL;
    if (!h || waiting() == ASKS_MAX) {
        refuse(k, peer, m->call,
               h ? "Too many ask at once: try again." : "The keyholder's configuration has no such proxy.");
        return;
    }
    struct challenge_list offer;
    challenge_list_read(&offer, m->lines);
    if (answer_challenge(k, peer, m->call, &offer)) {
        challenge_list_free(&offer);
        return;
    }
    struct examine *x = mem_zero(sizeof *x);
    *x = (struct examine){.who = who, .h = h, .peer = peer, .call = m->call, .since = ++k->tick};
    x->found.h = h;
    x->found.offer = offer;
    x->found.offer_known = m->lines.n > 0;
    x->found.seconds = KDC_MS / 1000;
    deadline_init(&x->deadline, late);
    deadline_set(&k->deadlines, &x->deadline, LOOK_MS);
    list_push_back(&asks, &x->node);
}
