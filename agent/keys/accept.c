/*
 * The table of contexts, and the jobs; those that take long by our own doing wait for their turn (turns.h). A context that is closed or answered too late while a
 * worker has its handshake is freed, or forgotten, when the worker is done.
 */
#include "keys/accept.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "keys/accept_delay.h"
#include "keys/accept_speak.h"
#include "keys/inbound.h"
#include "keys/slots.h"
#include "keys/turns.h"
#include "keys/work.h"

#define QUESTION_MS 15000 /* the agent gives up a little later */

struct accept_job {
    struct job job;
    struct turn turn; /* in the queue of slow ones */
    struct accept_context *c;
    struct accept_question q;
    struct accept_answer a;
};

struct accept_context {
    struct keyholder *k;
    uint32_t id;
    struct gate *gate; /* NULL: gone from the configuration */
    char *gateway;
    char *network; /* of the client, as the agent names it; may be empty */
    struct buf binding;
    struct accept_handshake handshake;
    struct inbound inbound; /* who is in, since the last question was answered */
    uint32_t call;          /* that waits for its answer; 0: none */
    bool opening;
    struct deadline deadline;
    struct accept_job *job; /* a worker or the queue has it, and the handshake */
    bool closed;            /* freed when the job is done */
    bool renewed;           /* the configuration is another one: the handshake is dropped then */
};

struct accepts {
    struct slots contexts; /* struct accept_context */
    struct gate **gates;
    size_t n_gates;
    struct delays *delays;
    struct turns slow;
    char *replays;
};

/* Where Kerberos notes used tokens: below our own runtime directory, where nobody else can write or look. NULL: there is none. */
static char *replays_place(void)
{
    struct err e = {0};
    char *text = NULL, *directory = config_runtime_dir(&e);
    if (!directory || asprintf(&text, "file2:%s/replays", directory) < 0) {
        log_warning(NULL, "used Kerberos tokens are noted in the system's usual place: %s", e.text);
        text = NULL;
    }
    free(directory);
    return text;
}

void accepts_start(struct keyholder *k)
{
    k->accepts = mem_zero(sizeof *k->accepts);
    turns_init(&k->accepts->slow);
    k->accepts->delays = delays_new();
    accepts_sync(k);
}

static struct gate *gate_named(struct accepts *all, const char *name)
{
    for (size_t i = 0; i < all->n_gates; i++)
        if (strcmp(all->gates[i]->name, name) == 0)
            return all->gates[i];
    return NULL;
}

static void drop_gates(struct accepts *all)
{
    for (size_t i = 0; i < all->n_gates; i++)
        gate_unref(all->gates[i]);
    free(all->gates);
    all->gates = NULL;
    all->n_gates = 0;
}

void accepts_sync(struct keyholder *k)
{
    struct accepts *all = k->accepts;
    drop_gates(all);
    if (k->config->n_gateways && !all->replays)
        all->replays = replays_place();
    all->gates = mem_zero((k->config->n_gateways + 1) * sizeof(struct gate *));
    for (size_t i = 0; i < k->config->n_gateways; i++)
        all->gates[all->n_gates++] = gate_new(&k->config->gateways[i], all->replays);
    for (size_t i = 0; i < all->contexts.n; i++) {
        struct accept_context *c = all->contexts.items[i];
        if (!c)
            continue;
        struct gate *fresh = gate_named(all, c->gateway);
        if (!fresh || !c->gate || !gate_means_the_same(c->gate, fresh))
            inbound_drop(&c->inbound);
        gate_unref(c->gate);
        c->gate = fresh ? gate_ref(fresh) : NULL;
        if (c->job)
            c->renewed = true;
        else
            accept_handshake_drop(&c->handshake);
    }
}

static struct accept_context *find(struct keyholder *k, uint32_t id)
{
    struct accept_context *c = slots_at(&k->accepts->contexts, id);
    return c && c->id == id && !c->closed ? c : NULL;
}

static void context_drop(struct accept_context *c)
{
    slots_drop(&c->k->accepts->contexts, c->id, c);
    deadline_unset(&c->deadline);
    accept_handshake_drop(&c->handshake);
    inbound_drop(&c->inbound);
    gate_unref(c->gate);
    buf_free(&c->binding);
    free(c->gateway);
    free(c->network);
    free(c);
}

static void job_free(struct accept_job *j)
{
    secret_free(&j->q.header);
    buf_free(&j->q.method);
    buf_free(&j->q.target);
    buf_free(&j->q.binding);
    gate_unref(j->q.gate);
    accept_answer_free(&j->a);
    free(j);
}

void accepts_free(struct keyholder *k)
{
    struct accepts *all = k->accepts;
    for (size_t i = 0; i < all->contexts.n; i++) {
        struct accept_context *c = all->contexts.items[i];
        if (c && c->job)
            job_free(c->job); /* it waited in the queue: no worker is busy */
        if (c)
            context_drop(c);
    }
    drop_gates(all);
    delays_free(all->delays);
    slots_free(&all->contexts);
    free(all->replays);
    free(all);
    k->accepts = NULL;
}

static void refuse_call(struct keyholder *k, uint32_t call, enum keys_verdict verdict, const char *why)
{
    serve_send(
        k, PEER_AGENT,
        &(struct keys_msg){.type = KEYS_ANSWER, .call = call, .verdict = verdict, .why = span_str(why)});
}

/* A job whose turn has not come is not needed any more. */
static void unqueue(struct accept_context *c)
{
    if (!c->job || !turn_waits(&c->job->turn))
        return;
    turn_leave(&c->job->turn);
    job_free(c->job);
    c->job = NULL;
}

static void too_late(struct deadline *d)
{
    struct accept_context *c = list_entry(d, struct accept_context, deadline);
    uint32_t call = c->call;
    c->call = 0;
    unqueue(c);
    if (c->job)
        c->renewed = true; /* a handshake of which a token was lost */
    refuse_call(c->k, call, KEYS_TIMEOUT, "Who the client is could not be told in time.");
    if (c->opening)
        c->closed = true;
}

static void answer(struct accept_context *c, struct accept_answer *a)
{
    struct keys_msg m = {.type = KEYS_ANSWER,
                         .call = c->call,
                         .verdict = a->verdict,
                         .flags = a->flags,
                         .context = a->verdict == KEYS_OK && c->opening ? c->id : 0,
                         .identity = span_str(a->identity),
                         .scheme = span_str(a->scheme),
                         .lines = buf_span(&a->lines),
                         .info = buf_span(&a->info),
                         .why = buf_span(&a->why),
                         .remedy = buf_span(&a->remedy),
                         .until = a->until > 0 && a->until < UINT32_MAX ? (uint32_t)a->until : 0,
                         .delay = a->delay};
    log_debug(NULL, "gateway %s, context %u: %s%s%s", c->gateway, c->id, keys_verdict_name(a->verdict),
              a->why.n ? ": " : "", a->why.n ? buf_cstr(&a->why) : "");
    deadline_unset(&c->deadline);
    c->call = 0;
    serve_send(c->k, PEER_AGENT, &m);
}

static void run(struct job *job)
{
    struct accept_job *j = (struct accept_job *)job;
    accept_speak(&j->q, &j->a);
}

/* It was only looked at; nothing is left of that. */
static void queue_slow(struct accepts *all, struct accept_job *j)
{
    accept_answer_free(&j->a);
    j->q.patient = true;
    j->job.quick = false;
    turns_queue(&all->slow, &j->turn);
}

static void done(struct job *job)
{
    struct accept_job *j = (struct accept_job *)job;
    struct accept_context *c = j->c;
    struct accepts *all = c->k->accepts;
    turns_over(&all->slow, &j->turn);
    if (j->a.slow && c->call && !c->closed && turns_are_crowded(&all->slow, &j->turn)) {
        j->a.verdict = KEYS_UNAVAILABLE;
        buf_add_str(&j->a.why, "Too many passwords wait to be checked.");
    } else if (j->a.slow && c->call && !c->closed) {
        queue_slow(all, j);
        turns_next(&all->slow);
        return;
    }
    bool opening = c->opening, failed = j->a.verdict != KEYS_OK;
    c->job = NULL;
    if (c->renewed)
        accept_handshake_drop(&c->handshake);
    c->renewed = false;
    if (c->call) {
        answer(c, &j->a);
        if (c->gate && gate_means_the_same(c->gate, j->q.gate))
            inbound_take(&c->inbound, &j->a);
    }
    c->opening = false;
    if (c->closed || (opening && failed))
        context_drop(c);
    job_free(j);
    turns_next(&all->slow);
}

static void begin(struct accept_context *c, const struct keys_msg *m)
{
    struct accept_job *j = mem_zero(sizeof *j);
    j->job = (struct job){.run = run, .done = done, .quick = !c->gate->winbind};
    turn_init(&j->turn, &j->job, c->network);
    j->c = c;
    j->q = (struct accept_question){.gate = gate_ref(c->gate),
                                    .opening = c->opening,
                                    .has_header = m->header.n != 0,
                                    .handshake = &c->handshake,
                                    .delays = c->k->accepts->delays,
                                    .network = c->network};
    secret_set(&j->q.header, m->header);
    buf_add_span(&j->q.method, m->method);
    buf_add_span(&j->q.target, m->target);
    buf_add_span(&j->q.binding, buf_span(&c->binding));
    c->call = m->call;
    c->job = j;
    inbound_drop(&c->inbound);
    deadline_set(&c->k->deadlines, &c->deadline, QUESTION_MS);
    work_submit(&j->job);
}

void accept_open(struct keyholder *k, const struct keys_msg *m)
{
    struct accepts *all = k->accepts;
    char *name = span_dup(m->gateway);
    struct gate *gate = gate_named(all, name);
    struct accept_context *c = mem_zero(sizeof *c);
    if (!gate || !slots_place(&all->contexts, c, &c->id)) {
        free(c);
        free(name);
        refuse_call(k, m->call, KEYS_UNAVAILABLE,
                    gate ? "Too many clients are connected."
                         : "The keyholder's configuration has no such gateway.");
        return;
    }
    deadline_init(&c->deadline, too_late);
    c->k = k;
    c->gateway = name;
    c->gate = gate_ref(gate);
    c->opening = true;
    c->network = span_dup(m->host);
    buf_add_span(&c->binding, m->binding);
    begin(c, m);
}

void accept_step(struct keyholder *k, const struct keys_msg *m)
{
    struct accept_context *c = find(k, m->context);
    const char *why = !c         ? "The keyholder does not know this connection (it was restarted?)."
                      : c->job   ? "A question about this connection is under way already."
                      : !c->gate ? "The gateway is gone from the configuration."
                                 : NULL;
    if (why)
        refuse_call(k, m->call, KEYS_UNAVAILABLE, why);
    else
        begin(c, m);
}

void accept_close(struct keyholder *k, const struct keys_msg *m)
{
    struct accept_context *c = find(k, m->context);
    if (!c)
        return;
    unqueue(c);
    if (c->job) {
        deadline_unset(&c->deadline);
        c->call = 0;
        c->closed = true;
    } else {
        context_drop(c);
    }
}

const struct inbound *accept_inbound(struct keyholder *k, uint32_t context, const char **why)
{
    const struct accept_context *c = find(k, context);
    *why =
        !c || !c->gate ? "The client's connection to the gateway is gone."
        : !c->gate->per_user
            ? "The configuration does not say that this gateway's users are acted for (identity = per-user)."
        : !inbound_is_in(&c->inbound)
            ? "The client is not let in by the gateway any more, or has no name that can be acted for."
            : NULL;
    return *why ? NULL : &c->inbound;
}
